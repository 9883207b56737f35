"""A recipe's base -> a checkpoint folder that can be trained.

Job: {"recipe": {"base": ..., "revision": ...}, "cache": folder}. Done: {"base": folder or hub name, "source": ...}.
There are three kinds of base:

- `package:PACKAGE/FILE.gguf` is a GGUF inside an installed package. It is dequantised once and kept under `cache`.
- A name on the hub with a `revision` is downloaded as a whole. Training and merge then use that revision alone and
  ask the hub for nothing more.
- Any other base is a checkpoint already, and stays as it is.
"""

import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

from job_protocol import Emit, JobError, atomic_write, configure_libraries, file_lock, file_sha256, run

# The transformers release that Unsloth allows reads the tokenizer of this file wrong and reports nothing: end-of-text
# is <|im_start|> and byte fallback is on. Every chat with a model trained on it then fails. 5.23 reads it right.
NEWER_TRANSFORMERS = Path(sys.prefix) / "prepare"
CHECKPOINT = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
SENTENCE = "Zorvaxil, 5 mg once daily - naïve? Ünïcödé 東京 \N{PILL}."


def prepare(job: dict, emit: Emit) -> dict:
    """Prepare the recipe's base, unless that is done already."""
    base: str = job["recipe"]["base"]
    if base.startswith("package:"):
        return prepare_packaged(base.removeprefix("package:"), Path(job["cache"]), emit)
    revision = job["recipe"]["revision"]
    if revision:
        return {"base": download(base, revision), "source": f"{base}@{revision}"}
    return {"base": base, "source": base}


def prepare_packaged(name: str, cache: Path, emit: Emit) -> dict:
    """Dequantise `PACKAGE/FILE.gguf` into a folder of the cache, unless it is there."""
    gguf = find_packaged(name)
    emit("loading")
    sys.path.insert(0, str(NEWER_TRANSFORMERS))
    configure_libraries(hub=False)
    version = importlib.metadata.version("transformers")
    sha256 = file_sha256(gguf)
    folder = cache / f"{gguf.stem}-{sha256[:12]}-transformers-{version}"
    source = {"gguf": gguf.name, "sha256": sha256, "transformers": version}
    # Of two workers with one cache the second finds what the first prepared.
    with file_lock(folder.with_name(f"{folder.name}.lock")):
        if not (folder / "source.json").exists():
            with atomic_write(folder) as temporary:
                dequantise(gguf, temporary)
                check_tokenizer(temporary)
                (temporary / "source.json").write_text(json.dumps(source), encoding="utf-8")
    return {"base": str(folder), "source": source}


def download(base: str, revision: str) -> str:
    """Download a revision of a base. Returns its folder in the hub's own cache."""
    configure_libraries(hub=True)
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    folder = snapshot_download(base, revision=revision, allow_patterns=CHECKPOINT)
    if "quantization_config" in json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")):
        raise JobError(
            f"The base {base!r} is quantised: its merge takes weights of another repository, which no revision pins."
            " Name the 16-bit base, which load_in_4bit quantises itself, or leave the revision empty."
        )
    return folder


def find_packaged(name: str) -> Path:
    """Find the file `PACKAGE/FILE` without importing the package."""
    package, _, file = name.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / file).is_file():
            return path
    raise JobError(f"The base {name!r} is not in the trainer's environment: install the package {package!r} there.")


def dequantise(gguf: Path, folder: Path) -> None:
    """Write the GGUF's weights in 32 bits, which loses nothing a second time, and its tokenizer."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain by now. transformers 5 still takes the model for a quantised one and refuses to save it.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def check_tokenizer(folder: Path) -> None:
    """Refuse a tokenizer that was read wrong: training on it looks normal, and serving it fails."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(folder)
    saved = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    ids = tokenizer(SENTENCE, add_special_tokens=False)["input_ids"]
    turn = tokenizer.apply_chat_template([{"role": "assistant", "content": "Yes."}], tokenize=False).strip()
    for fault, is_well in (
        ("the end-of-text token does not close the chat template's turns", turn.endswith(tokenizer.eos_token)),
        ("byte fallback is on", not saved["model"].get("byte_fallback")),
        ("a sentence does not survive a round trip", tokenizer.decode(ids) == SENTENCE),
    ):
        if not is_well:
            raise JobError(f"The base's tokenizer was read wrong: {fault}; transformers 5.23.0 reads it right.")


if __name__ == "__main__":
    run(prepare)
