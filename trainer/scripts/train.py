"""LoRA training of a base on approved answers, by Unsloth, on a GPU or a CPU.

Job: {"base", "dataset": folder, "output": folder, "recipe": a recipe's tables}. Each line of the dataset's
`train.jsonl` and `eval.jsonl` holds {"id", "messages": [{"role", "content"}, ...], "answer"}.
Writes `adapter/`, with the tokenizer as it will be exported, and `rendered.jsonl`. For each row of `eval.jsonl`
that file holds {"id", "text", "tokens"}: the prompt as a server must show it, and its number of tokens in training.
"""

import json
import os
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from job_protocol import Emit, JobError, atomic_write, configure_libraries, run

PACKAGES = ("unsloth", "unsloth_zoo", "torch", "transformers", "trl", "peft", "datasets", "tokenizers")
IGNORED = -100
"""The label of a token that gives no loss."""


def train(job: dict, emit: Emit) -> dict:
    """Train an adapter, and measure the loss on held-out rows before and after."""
    began = time.monotonic()
    recipe, output = job["recipe"], Path(job["output"])
    emit("loading")
    model, tokenizer = load(job["base"], recipe, output)

    rows = [tokenise(row, tokenizer, recipe) for row in read_rows(job, "train")]
    eval_rows = read_rows(job, "eval")
    held_out = [tokenise(row, tokenizer, recipe) for row in eval_rows]
    write_rendered(output / "rendered.jsonl", eval_rows, held_out)
    short_enough = drop_too_long(rows, recipe["max_seq_length"], "training")
    held_out = drop_too_long(held_out, recipe["max_seq_length"], "held-out")
    check_labels(short_enough, tokenizer)

    trainer = make_trainer(model, tokenizer, short_enough, job, emit)
    with model.disable_adapter():
        emit("loss", what="base", value=mean_loss(model, held_out))
    emit("start", steps=count_steps(trainer), examples=len(short_enough), left_out=len(rows) - len(short_enough))
    trainer.train()
    emit("loss", what="tuned", value=mean_loss(model, held_out))

    with atomic_write(output / "adapter") as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
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
    configure_libraries(hub=not Path(base).is_dir())
    if recipe["device"] == "cuda":
        os.environ["UNSLOTH_DISABLE_CPU_FALLBACK"] = "1"  # a lost GPU is an error, not a week on a CPU
    os.environ["UNSLOTH_COMPILE_LOCATION"] = str(output / "compiled")  # the default is the working directory

    import unsloth  # noqa: PLC0415, F401, I001 - first: it patches the libraries imported after it
    import torch  # noqa: PLC0415
    from unsloth import FastLanguageModel  # noqa: PLC0415

    from chat import set_template  # noqa: PLC0415

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
    set_template(tokenizer, recipe["chat_template"])
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


def read_rows(job: dict, split: str) -> list[dict]:
    """The rows of `train.jsonl` or `eval.jsonl`."""
    path = Path(job["dataset"]) / f"{split}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows:
        raise JobError(f"{path.name} has no rows: approve more answers.")
    return rows


def tokenise(row: dict, tokenizer: Any, recipe: dict) -> dict:
    """The token ids of prompt, answer and end-of-text, and labels that give the prompt no loss.

    Prompt and answer are tokenised apart, as a server does. The server's number of prompt tokens is compared with
    this one. With packing the loss covers the prompt too: whole texts are joined.
    """
    from chat import as_served, render  # noqa: PLC0415

    try:
        text = render(tokenizer, row["messages"])
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        answer = tokenizer(row["answer"] + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    except Exception as error:  # a library's message may quote the text: it goes to this script's log alone
        raise JobError(
            f"The row of annotation {row['id']} cannot be rendered or tokenised: {type(error).__name__}."
        ) from error
    prompt_labels = prompt if recipe["training"]["packing"] else [IGNORED] * len(prompt)
    return {
        "text": as_served(tokenizer, text),
        "prompt": len(prompt),
        "input_ids": prompt + answer,
        "labels": prompt_labels + answer,
    }


def write_rendered(path: Path, rows: list[dict], tokenised: list[dict]) -> None:
    """Write what the server must reproduce for the held-out rows."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row, tokens in zip(rows, tokenised, strict=True):
            file.write(json.dumps({"id": row["id"], "text": tokens["text"], "tokens": tokens["prompt"]}) + "\n")


def drop_too_long(rows: list[dict], limit: int, what: str) -> list[dict]:
    """Rows of at most `limit` tokens. A row that is cut would teach an answer without an end."""
    kept = [row for row in rows if len(row["input_ids"]) <= limit]
    if not kept:
        shortest = min(len(row["input_ids"]) for row in rows)
        raise JobError(
            f"No {what} row fits into max_seq_length {limit} (the shortest has {shortest} tokens): raise it in the recipe."
        )
    return kept


def check_labels(rows: list[dict], tokenizer: Any) -> None:
    """Decode the labels of a few rows. A mask that hides them all would train nothing, and nobody would notice."""
    for row in rows[:5]:
        answer = tokenizer.decode([token for token in row["labels"] if token != IGNORED], skip_special_tokens=True)
        if not answer.strip():
            raise JobError("A row has no text to learn from: an approved answer is empty.")
        if row["labels"][-1] != tokenizer.eos_token_id:
            raise JobError("The base's end-of-text is not one token, so the tuned model could not stop.")


def make_trainer(model: Any, tokenizer: Any, rows: list[dict], job: dict, emit: Emit) -> Any:
    """TRL's trainer over rows that are tokenised already."""
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
    """A callback that emits the loss of each step and the seconds left.

    The estimate leaves out the first step: it compiles and allocates, and takes several times as long as any other.
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


def count_steps(trainer: Any) -> int:
    """The number of optimiser steps of the whole training."""
    if trainer.args.max_steps > 0:
        return trainer.args.max_steps
    batches = len(trainer.get_train_dataloader())
    each_epoch = max(1, -(-batches // trainer.args.gradient_accumulation_steps))
    return int(each_epoch * trainer.args.num_train_epochs)


def mean_loss(model: Any, rows: list[dict]) -> float:
    """Mean negative log-likelihood, in nats a token, of the held-out answers and their ends."""
    import torch  # noqa: PLC0415

    model.eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for row in rows:
            answer_tokens = len(row["input_ids"]) - row["prompt"]
            ids = torch.tensor([row["input_ids"]], device=model.device)
            labels = ids.clone()
            labels[:, : row["prompt"]] = IGNORED
            total += float(model(input_ids=ids, labels=labels).loss) * answer_tokens
            tokens += answer_tokens
    model.train()
    return round(total / tokens, 4)


def peak_gpu_mb() -> int:
    """Peak GPU memory in MiB, 0 on a CPU."""
    import torch  # noqa: PLC0415

    return torch.cuda.max_memory_allocated() // 2**20 if torch.cuda.is_available() else 0


if __name__ == "__main__":
    run(train)
