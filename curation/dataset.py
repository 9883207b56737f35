"""A dataset is a folder: `train.jsonl`, `eval.jsonl`, `README.md` and, written last, `manifest.json`."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotune.files import atomic_write
from annotune.split import SplitName
from curation.dataset_card import CARD, card, line_of, row_of
from curation.example import Example
from curation.manifest import MANIFEST, About, DatasetManifest

SIDES: tuple[SplitName, SplitName] = ("train", "eval")

Line = tuple[int, str]
"""The id of a row (its annotation's; negative for a row of another dataset), and the row as JSON with its end of line."""


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


def write_dataset(
    folder: Path, train: Iterable[Example], held_out: Iterable[Example], about: About | None = None
) -> Dataset:
    """Write examples as a dataset: each file whole or not at all, the manifest last. `about` is for the manifest.

    A line has the keys `id` (see `Line`), `messages`, `question`, `answer`, `abstract_id` and `origin`.
    """
    parts: dict[SplitName, tuple[Example, ...]] = {"train": _ordered(train), "eval": _ordered(held_out)}
    every = [example for examples in parts.values() for example in examples]
    about = (about or About()).model_copy(update={"kinds": dict(Counter(each.origin.kind for each in every))})
    folder.mkdir(parents=True, exist_ok=True)
    lines = {
        name: ((example.origin.annotation, line_of(row_of(example))) for example in examples)
        for name, examples in parts.items()
    }
    manifest = write_files(folder, lines, about)
    return Dataset(folder=folder, digest=manifest.digest, train=parts["train"], held_out=parts["eval"])


def write_files(
    folder: Path, lines: Mapping[SplitName, Iterable[Line]], about: About, *, with_names: bool = False
) -> DatasetManifest:
    """Write the files of a dataset from its lines, which are read once, the manifest last.

    Args:
        folder: an existing folder. Files of these names are replaced.
        lines: the rows of each split, in their order.
        about: what the manifest tells beside the rows.
        with_names: the rows hold the annotators' names.
    """
    digest = hashlib.sha256()
    ids: dict[SplitName, tuple[int, ...]] = {}
    for name in SIDES:
        digest.update(f"{name}\n".encode())
        ids[name] = _write_lines(folder / f"{name}.jsonl", lines[name], digest)
    counts: dict[SplitName, int] = {name: len(found) for name, found in ids.items()}
    annotations = {name: tuple(number for number in found if number > 0) for name, found in ids.items()}
    atomic_write(folder / CARD, card(counts, about, with_names=with_names))
    facts = about.model_dump() | {"digest": digest.hexdigest(), "counts": counts, "annotations": annotations}
    manifest = DatasetManifest.model_validate(facts)
    atomic_write(folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    return manifest


def _write_lines(path: Path, lines: Iterable[Line], digest: "hashlib._Hash") -> tuple[int, ...]:
    """Write a file's lines, add them to the digest, and return their ids."""
    numbers = []
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        for number, line in lines:
            data = line.encode()
            file.write(data)
            digest.update(data)
            numbers.append(number)
    temporary.replace(path)
    return tuple(numbers)


def _ordered(examples: Iterable[Example]) -> tuple[Example, ...]:
    return tuple(sorted(examples, key=lambda example: (example.origin.task, example.origin.annotation)))
