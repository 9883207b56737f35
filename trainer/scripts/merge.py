"""Base + adapter -> one checkpoint folder in 16 bits, with the tokenizer that training used.

Job: as train.py's. Reads `adapter/` of the output folder, writes `merged/`.
"""

import time
from pathlib import Path

from job_protocol import Emit, atomic_write, configure_libraries, run


def merge(job: dict, emit: Emit) -> dict:
    """Merge the adapter into the base."""
    began = time.monotonic()
    output = Path(job["output"])
    configure_libraries(hub=not Path(job["base"]).is_dir())
    emit("loading")
    merge_model = merge_on_gpu if job["recipe"]["device"] == "cuda" else merge_on_cpu
    with atomic_write(output / "merged") as temporary:
        merge_model(job, output / "adapter", temporary)
        copy_tokenizer(output / "adapter", temporary)
    return {"merged": str(output / "merged"), "seconds": round(time.monotonic() - began, 1)}


def merge_on_gpu(job: dict, adapter: Path, merged: Path) -> None:
    """Unsloth's merge. After a training in 4 bits it takes the base's 16-bit weights, and may download them."""
    from unsloth import FastLanguageModel  # noqa: PLC0415

    recipe = job["recipe"]
    model, tokenizer = FastLanguageModel.from_pretrained(
        str(adapter), max_seq_length=recipe["max_seq_length"], load_in_4bit=recipe["load_in_4bit"]
    )
    model.save_pretrained_merged(str(merged), tokenizer, save_method="merged_16bit")


def merge_on_cpu(job: dict, adapter: Path, merged: Path) -> None:
    """Add in 32 bits and round once, to float16: it keeps three more bits of small weights than bfloat16."""
    import torch  # noqa: PLC0415
    from peft import PeftModel  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, adapter).merge_and_unload()
    model.to(torch.float16).save_pretrained(merged)


def copy_tokenizer(adapter: Path, merged: Path) -> None:
    """Copy the tokenizer that training used, with its template and comment."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    AutoTokenizer.from_pretrained(adapter).save_pretrained(merged)


if __name__ == "__main__":
    run(merge)
