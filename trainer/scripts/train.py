"""LoRA training of a base on approved answers, by Unsloth, on a GPU or a CPU.

Job: {"base", "dataset": folder, "output": folder, "recipe": a recipe's tables}. The dataset's `train.jsonl`
and `eval.jsonl` hold {"id", "messages": [{"role", "content"}, ...], "answer"} a line.
Writes `adapter/` (with the tokenizer as it will be exported) and `rendered.jsonl`: for each row of
`eval.jsonl` {"id", "text", "tokens"}: the prompt's text as a server must show it, its tokens in training.
"""

import json
import os
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from job_protocol import Emit, Refused, quiet, run, written_whole

PACKAGES = ("unsloth", "unsloth_zoo", "torch", "transformers", "trl", "peft", "datasets", "tokenizers")
IGNORED = -100
"""The label of a token that gives no loss."""


def train(job: dict, emit: Emit) -> dict:
    """Train as the job says."""
    began = time.monotonic()
    recipe, output = job["recipe"], Path(job["output"])
    emit("loading")
    model, tokenizer = load(job["base"], recipe, output)

    rows = [supervised(row, tokenizer, recipe) for row in read(job, "train")]
    held_out = [supervised(row, tokenizer, recipe) for row in read(job, "eval")]
    write_rendered(output / "rendered.jsonl", read(job, "eval"), held_out)
    trained = fitting(rows, recipe["max_seq_length"], "training")
    held_out = fitting(held_out, recipe["max_seq_length"], "held-out")
    check_supervised(trained, tokenizer)

    trainer = make_trainer(model, tokenizer, trained, job, emit)
    with model.disable_adapter():
        emit("loss", what="base", value=mean_loss(model, held_out))
    emit("start", steps=steps_of(trainer), examples=len(trained), left_out=len(rows) - len(trained))
    trainer.train()
    emit("loss", what="tuned", value=mean_loss(model, held_out))

    with written_whole(output / "adapter") as beside:
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
    return {
        "adapter": str(output / "adapter"),
        "seconds": round(time.monotonic() - began, 1),
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "versions": {name: version(name) for name in PACKAGES},
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,  # Linux counts in KiB
        "peak_gpu_mb": peak_gpu_mb(),
    }


def load(base: str, recipe: dict, output: Path) -> tuple[Any, Any]:
    """The base with an untrained adapter, and its tokenizer with the template it will be exported with."""
    quiet(hub=not Path(base).is_dir())
    if recipe["device"] == "cuda":
        os.environ["UNSLOTH_DISABLE_CPU_FALLBACK"] = "1"  # a lost GPU is an error, not a week on a CPU
    os.environ["UNSLOTH_COMPILE_LOCATION"] = str(output / "compiled")  # else the working directory

    import unsloth  # noqa: PLC0415, F401, I001 - first: it patches the libraries imported after it
    import torch  # noqa: PLC0415
    from unsloth import FastLanguageModel  # noqa: PLC0415

    from chat import give_template  # noqa: PLC0415

    lora = recipe["lora"]
    checkpointing = lora["gradient_checkpointing"]
    # On "auto" Unsloth decides: 32 bits on a CPU without bfloat16 in hardware, which it would emulate.
    dtype = None if recipe["dtype"] == "auto" else getattr(torch, recipe["dtype"])
    model, tokenizer = FastLanguageModel.from_pretrained(
        base,
        max_seq_length=recipe["max_seq_length"],
        dtype=dtype,
        load_in_4bit=recipe["load_in_4bit"],
        use_gradient_checkpointing=False if checkpointing == "none" else checkpointing,
    )
    give_template(tokenizer, recipe["chat_template"])
    model = FastLanguageModel.get_peft_model(
        model,
        r=lora["r"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        bias=lora["bias"],
        target_modules=lora["target_modules"],
        use_rslora=lora["use_rslora"],
        use_gradient_checkpointing=False if checkpointing == "none" else checkpointing,
        random_state=lora["random_state"],
    )
    return model, tokenizer


def read(job: dict, split: str) -> list[dict]:
    """The rows of `train.jsonl` or `eval.jsonl`."""
    path = Path(job["dataset"]) / f"{split}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows:
        raise Refused(f"{path.name} has no rows: approve more answers.")
    return rows


def supervised(row: dict, tokenizer: Any, recipe: dict) -> dict:
    """The token ids of prompt, answer and end-of-text, and labels that leave the prompt without loss.

    Tokenised here, prompt and answer apart: that is how they meet when served, and the one count that the
    server's is compared with. With packing the loss covers the prompt too, as texts are joined whole.
    """
    from chat import as_served, render  # noqa: PLC0415

    try:
        text = render(tokenizer, row["messages"])
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        answer = tokenizer(row["answer"] + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    except Exception as error:  # what a library says of a text may quote it: it goes to this script's log alone
        raise Refused(
            f"The row of annotation {row['id']} cannot be rendered or tokenised: {type(error).__name__}."
        ) from error
    unlearnt = prompt if recipe["training"]["packing"] else [IGNORED] * len(prompt)
    return {
        "text": as_served(tokenizer, text),
        "prompt": len(prompt),
        "input_ids": prompt + answer,
        "labels": unlearnt + answer,
    }


def write_rendered(path: Path, rows: list[dict], tokenised: list[dict]) -> None:
    """What the server must reproduce for the held-out rows."""
    with written_whole(path) as beside, beside.open("w", encoding="utf-8") as file:
        for row, seen in zip(rows, tokenised, strict=True):
            file.write(json.dumps({"id": row["id"], "text": seen["text"], "tokens": seen["prompt"]}) + "\n")


def fitting(rows: list[dict], limit: int, what: str) -> list[dict]:
    """Those that fit: a row cut short would teach an answer without an end."""
    fit = [row for row in rows if len(row["input_ids"]) <= limit]
    if not fit:
        shortest = min(len(row["input_ids"]) for row in rows)
        raise Refused(
            f"No {what} row fits into max_seq_length {limit} (the shortest has {shortest} tokens): raise it in the recipe."
        )
    return fit


def check_supervised(rows: list[dict], tokenizer: Any) -> None:
    """Decode what a few rows are trained on; a mask that hides it all would train nothing, unnoticed."""
    for row in rows[:5]:
        learnt = tokenizer.decode([token for token in row["labels"] if token != IGNORED], skip_special_tokens=True)
        if not learnt.strip():
            raise Refused("A row has no text to learn from: an approved answer is empty.")
        if row["labels"][-1] != tokenizer.eos_token_id:
            raise Refused("The base's end-of-text is not one token, so the tuned model could not stop.")


def make_trainer(model: Any, tokenizer: Any, rows: list[dict], job: dict, emit: Emit) -> Any:
    """TRL's trainer over rows already tokenised."""
    import torch  # noqa: PLC0415
    from datasets import Dataset  # noqa: PLC0415
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    recipe, training = job["recipe"], job["recipe"]["training"]
    precision = training["precision"]
    if precision == "auto" and model.device.type == "cuda":
        precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    elif precision == "auto":
        precision = "bf16" if model.dtype == torch.bfloat16 else "fp32"
    arguments = SFTConfig(
        output_dir=str(Path(job["output"]) / "trainer"),
        per_device_train_batch_size=training["batch_size"],
        gradient_accumulation_steps=training["gradient_accumulation_steps"],
        warmup_steps=training["warmup_steps"],
        num_train_epochs=training["epochs"] or 1,
        max_steps=training["max_steps"] or -1,
        learning_rate=training["learning_rate"],
        optim=training["optimizer"],
        weight_decay=training["weight_decay"],
        lr_scheduler_type=training["scheduler"],
        packing=training["packing"],
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        gradient_checkpointing=recipe["lora"]["gradient_checkpointing"] != "none",
        seed=training["seed"],
        data_seed=training["seed"],
        max_length=recipe["max_seq_length"],
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
    )
    columns = [{"input_ids": row["input_ids"], "labels": row["labels"]} for row in rows]
    return SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(columns),
        args=arguments,
        callbacks=[progress(emit)],
    )


def progress(emit: Emit) -> Any:
    """A callback that emits each step's loss and the seconds left, going by the steps after the first.

    The first step compiles and allocates, and takes several times as long as any other.
    """
    from transformers import TrainerCallback  # noqa: PLC0415

    class Progress(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: dict, **_: object) -> None:  # noqa: ARG002
            if "loss" not in logs:  # the summary after the last step
                return
            now, step, steps = time.monotonic(), state.global_step, state.max_steps
            if step == 1:
                self.began = now
            left = (now - self.began) / (step - 1) * (steps - step) if step > 1 else None
            loss = round(float(logs["loss"]), 4)
            emit("step", step=step, steps=steps, loss=loss, left_s=left and round(left, 1))

    return Progress()


def steps_of(trainer: Any) -> int:
    """Optimiser steps of the whole training."""
    if trainer.args.max_steps > 0:
        return trainer.args.max_steps
    batches = len(trainer.get_train_dataloader())
    each_epoch = max(1, -(-batches // trainer.args.gradient_accumulation_steps))
    return int(each_epoch * trainer.args.num_train_epochs)


def mean_loss(model: Any, rows: list[dict]) -> float:
    """Mean negative log-likelihood (nats) of a token of the held-out answers and their ends."""
    import torch  # noqa: PLC0415

    model.eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for row in rows:
            learnt = len(row["input_ids"]) - row["prompt"]
            ids = torch.tensor([row["input_ids"]], device=model.device)
            labels = ids.clone()
            labels[:, : row["prompt"]] = IGNORED
            total += float(model(input_ids=ids, labels=labels).loss) * learnt
            tokens += learnt
    model.train()
    return round(total / tokens, 4)


def peak_gpu_mb() -> int:
    """Most GPU memory held at once, 0 on a CPU."""
    import torch  # noqa: PLC0415

    return torch.cuda.max_memory_allocated() // 2**20 if torch.cuda.is_available() else 0


if __name__ == "__main__":
    run(train)
