"""A recipe's base -> a checkpoint folder that can be trained.

Job: {"recipe": {"base": ..., "revision": ...}, "cache": folder}. Done: {"base": folder or hub name, "source": ...}.
A base `package:PACKAGE/FILE.gguf` is a GGUF inside an installed package; it is dequantised once and kept
under `cache`. A base on the hub with a `revision` is fetched whole, so that training and merge see that revision alone
and ask the hub for nothing more. Any other base is already a checkpoint and named as it is.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from job_protocol import Emit, Refused, quiet, run, written_whole

# The transformers that Unsloth allows reads this file's tokenizer wrong without a word (end-of-text is
# <|im_start|>, byte fallback is on), and every chat with what is trained on it then fails. 5.23 reads it right.
NEWER_TRANSFORMERS = Path(sys.prefix) / "prepare"
CHECKPOINT = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
SENTENCE = "Zorvaxil, 5 mg once daily - naïve? Ünïcödé 東京 \N{PILL}."


def prepare(job: dict, emit: Emit) -> dict:
    """Prepare the recipe's base, or find it prepared."""
    base: str = job["recipe"]["base"]
    if not base.startswith("package:"):
        revision = job["recipe"]["revision"]
        return (
            {"base": fetch(base, revision), "source": f"{base}@{revision}"}
            if revision
            else {"base": base, "source": base}
        )
    gguf = find_packaged(base.removeprefix("package:"))
    emit("loading")

    sys.path.insert(0, str(NEWER_TRANSFORMERS))
    quiet(hub=False)
    version = importlib.metadata.version("transformers")
    with gguf.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    folder = Path(job["cache"]) / f"{gguf.stem}-{sha256[:12]}-transformers-{version}"
    source = {"gguf": gguf.name, "sha256": sha256, "transformers": version}
    with alone(folder.with_name(f"{folder.name}.lock")):
        if not (folder / "source.json").exists():
            with written_whole(folder) as beside:
                dequantise(gguf, beside)
                check(beside)
                (beside / "source.json").write_text(json.dumps(source), encoding="utf-8")
    return {"base": str(folder), "source": source}


def fetch(base: str, revision: str) -> str:
    """The folder, in the hub's own cache, of a base at a revision."""
    quiet(hub=True)
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    folder = snapshot_download(base, revision=revision, allow_patterns=CHECKPOINT)
    if "quantization_config" in json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")):
        raise Refused(
            f"The base {base!r} is quantised: its merge takes weights of another repository, which no revision pins."
            " Name the 16-bit base, which load_in_4bit quantises itself, or leave the revision empty."
        )
    return folder


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file, so that of two workers with one cache the second finds what the first prepared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_packaged(name: str) -> Path:
    """The file `PACKAGE/FILE`, found without importing the package."""
    package, _, file = name.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / file).is_file():
            return path
    raise Refused(f"The base {name!r} is not in the trainer's environment: install the package {package!r} there.")


def dequantise(gguf: Path, folder: Path) -> None:
    """Write the GGUF's weights in 32 bits, so that nothing is lost a second time, and its tokenizer."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain by now, but 5.x still takes the model for a quantised one and would not save it.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def check(folder: Path) -> None:
    """Refuse a tokenizer that was read wrong: training on it looks normal, serving it fails."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(folder)
    saved = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    ids = tokenizer(SENTENCE, add_special_tokens=False)["input_ids"]
    end = tokenizer.apply_chat_template([{"role": "assistant", "content": "Yes."}], tokenize=False).strip()
    for what, right in (
        ("the end-of-text token does not close the chat template's turns", end.endswith(tokenizer.eos_token)),
        ("byte fallback is on", not saved["model"].get("byte_fallback")),
        ("a sentence does not survive a round trip", tokenizer.decode(ids) == SENTENCE),
    ):
        if not right:
            raise Refused(f"The base's tokenizer was read wrong: {what}; transformers 5.23.0 reads it right.")


if __name__ == "__main__":
    run(prepare)
