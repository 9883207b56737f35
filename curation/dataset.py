"""A dataset is a folder: `train.jsonl`, `eval.jsonl`, and a manifest that is written last. See split.py for the split."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from annotune.files import atomic_write
from curation.example import Example


@dataclass(frozen=True)
class Dataset:
    """What was written. `digest` is the hex SHA-256 of both files: equal digests are equal datasets."""

    folder: Path
    digest: str
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]

    @property
    def contents(self) -> dict[int, str]:
        """What each annotation in it holds (`Origin.content`), by id. Rows of other datasets have no annotation."""
        origins = [example.origin for example in (*self.train, *self.held_out)]
        return {origin.annotation: origin.content for origin in origins if not origin.dataset}


def write_dataset(folder: Path, train: Iterable[Example], held_out: Iterable[Example]) -> Dataset:
    """Write the files, each whole or not at all, the manifest last.

    A line has the keys `id` (the annotation's; negative for a row of another dataset), `messages`, `answer`, `question`,
    `abstract_id` and `origin`.
    """
    parts = {"train": _ordered(train), "eval": _ordered(held_out)}
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    for name, examples in parts.items():
        lines = "".join(_line(example) for example in examples)
        digest.update(f"{name}\n{lines}".encode())
        atomic_write(folder / f"{name}.jsonl", lines)
    manifest = {
        "digest": digest.hexdigest(),
        "counts": {name: len(examples) for name, examples in parts.items()},
        "annotations": {name: _annotations(examples) for name, examples in parts.items()},
    }
    atomic_write(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    return Dataset(folder=folder, digest=digest.hexdigest(), train=parts["train"], held_out=parts["eval"])


def _ordered(examples: Iterable[Example]) -> tuple[Example, ...]:
    return tuple(sorted(examples, key=lambda example: (example.origin.task, example.origin.annotation)))


def _annotations(examples: Iterable[Example]) -> list[int]:
    return [example.origin.annotation for example in examples if not example.origin.dataset]


def _line(example: Example) -> str:
    body = example.model_dump(mode="json")
    return json.dumps({"id": example.origin.annotation, **body}, ensure_ascii=False) + "\n"
