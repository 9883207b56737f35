"""Dataset folders for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotune.chat import Message
from curation.dataset import write_dataset
from curation.example import Example, Origin
from curation.manifest import About

SHA = "ab" * 32


def example(number: int, question: str, answer: str, *, asked: str | None = None, **origin: Any) -> Example:
    """A row of the dataset: annotation `number` of project 4. `asked` is the chat, by default the question alone."""
    facts: dict[str, Any] = {"project": 4, "task": number, "annotation": number, "annotator": 1, "kind": "typed"}
    return Example(
        messages=(Message("user", question if asked is None else asked),),
        question=question,
        answer=answer,
        origin=Origin(**facts | {"prompt_sha": SHA} | origin),
    )


def write(folder: Path, train: Sequence[Example], held_out: Sequence[Example] = (), **about: Any) -> Path:
    write_dataset(folder, train, held_out, About(**{"open_book": False} | about))
    return folder
