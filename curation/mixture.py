"""What a training learns from annotations and datasets together.

A person's annotation outranks a row that asks the same, and nothing that is held out trains, or comes near to what trains.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from annotune.runs import TrainedDataset
from annotune.split import MIN_HELD_OUT, SplitAssignment, SplitName, text_sha
from curation.example import Example
from curation.examples import AssignSplits, ExampleSet
from curation.row_examples import RowExample, RowReason
from curation.row_sets import RowSet
from curation.similarity import SimilarityIndex, common_words

MOST_HELD_OUT = 200
"""Rows of datasets that are held out. Each one is asked by several gates, which takes seconds on a CPU."""

Pin = Callable[[Mapping[str, SplitName]], None]
"""Records the sides that folders give to texts, by their shas, where none is recorded."""


@dataclass(frozen=True)
class Mixture:
    """The examples of a training, and what became of each of its datasets."""

    examples: ExampleSet
    datasets: tuple[TrainedDataset, ...]


def mix(
    annotated: ExampleSet,
    row_sets: Sequence[RowSet],
    *,
    pin: Pin,
    assign: AssignSplits,
    min_train: int,
    with_annotations: bool = True,
) -> Mixture:
    """Add the rows of datasets to the examples of annotations, or put them in their place.

    Args:
        annotated: the examples of the project's annotations.
        row_sets: the datasets, in the order in which their rows count.
        pin: records the sides that folders give.
        assign: records the sides of texts, as for annotations alone.
        min_train: how many texts a training needs to train on.
        with_annotations: without, the annotations only say what is held out and what is wrong.

    Raises:
        StoreUnavailable, RecordUnreadable: as `pin` and `assign`.
    """
    chosen = _Chosen([_Row(each, number) for number, found in enumerate(row_sets) for each in found.rows])
    examples = annotated.examples if with_annotations else ()
    chosen.leave_known({text_sha(example.question) for example in examples}, annotated.wrong_references)
    pin({row.sha: row.made.side for row in chosen.rows if row.made.side})
    shas = [text_sha(example.question) for example in examples] + [row.sha for row in chosen.rows]
    groups = [annotated.groups.get(sha, sha) for sha in shas[: len(examples)]] + [row.made.group for row in chosen.rows]
    assigned = assign(shas, groups)
    chosen.take_sides(assigned.splits)
    sides = [assigned.splits.get(sha, "train") for sha in shas]
    train = [example for example, side in zip(examples, sides, strict=False) if side == "train"]
    held_out = [example for example, side in zip(examples, sides, strict=False) if side == "eval"]
    chosen.leave_similar(train, [*held_out, *annotated.held_out])
    train += [row.made.example for row in chosen.rows if row.side == "train"]
    held_out += [row.made.example for row in chosen.rows if row.side == "eval"]
    left_out = annotated.left_out if with_annotations else {}
    lacks = _lacks(
        len(train), len(held_out), assigned, min_train, "annotations and datasets" if examples else "datasets"
    )
    mixed = replace(annotated, train=tuple(train), held_out=tuple(held_out), left_out=left_out, lacks=lacks)
    return Mixture(mixed, tuple(chosen.result(number, found) for number, found in enumerate(row_sets)))


@dataclass
class _Row:
    """A row of the dataset number `dataset`, its side, and why it is left out, once that is known."""

    made: RowExample
    dataset: int
    side: SplitName = "train"
    reason: RowReason | None = None

    @property
    def sha(self) -> str:
        return self.made.sha

    @property
    def question(self) -> str:
        return self.made.example.question


class _Chosen:
    """The rows of all datasets, from which those that may not be used are left out step by step."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._all = list(rows)

    @property
    def rows(self) -> list[_Row]:
        """Those that are not left out."""
        return [row for row in self._all if row.reason is None]

    def leave_known(self, annotated: Collection[str], wrong: Collection[str]) -> None:
        """Leave out what a person answered or found wrong, and of rows with one question all but the first."""
        seen: set[str] = set()
        for row in self._all:
            if row.sha in wrong:
                row.reason = "wrong reference"
            elif row.sha in annotated:
                row.reason = "annotated"
            elif row.sha in seen:
                row.reason = "double"
            seen.add(row.sha)

    def take_sides(self, sides: Mapping[str, SplitName]) -> None:
        """Give each row the recorded side of its question."""
        for row in self.rows:
            row.side = sides.get(row.sha, "train")
            if row.made.side == "eval" and row.side == "train":
                row.reason = "trained before"

    def leave_similar(self, trained: Iterable[Example], held_out: Iterable[Example]) -> None:
        """Leave out rows near annotations, or near rows, of the other side. An annotation never gives way to a row."""
        trained, held_out = list(trained), list(held_out)
        questions = [example.question for example in (*trained, *held_out)]
        common = common_words([*questions, *(row.question for row in self.rows)])
        self._leave_near("near annotated", "eval", _index((example.question for example in trained), common))
        held = [example.question for example in held_out]
        held += [row.question for row in self.rows if row.side == "eval"]
        self._leave_near("near held out", "train", _index(held, common))
        spare = sorted((row for row in self.rows if row.side == "eval"), key=lambda row: row.sha)[MOST_HELD_OUT:]
        for row in spare:
            row.reason = "surplus"

    def _leave_near(self, reason: RowReason, side: SplitName, index: SimilarityIndex) -> None:
        for row in self.rows:
            if row.side == side and index.duplicate(row.question) is not None:
                row.reason = reason

    def result(self, number: int, found: RowSet) -> TrainedDataset:
        """What became of the dataset of this number."""
        rows = [row for row in self._all if row.dataset == number]
        left_out = Counter(found.left_out) + Counter(row.reason for row in rows if row.reason)
        used = Counter(row.side for row in rows if row.reason is None)
        return TrainedDataset(
            source=found.ref.source,
            split=found.ref.split,
            digest=found.digest,
            rows=found.read,
            trained=used["train"],
            held_out=used["eval"],
            left_out=dict(sorted(left_out.items())),
        )


def _index(questions: Iterable[str], common: Collection[str]) -> SimilarityIndex:
    index = SimilarityIndex(common)
    for key, question in enumerate(questions):
        index.add(key, question)
    return index


def _lacks(trained: int, held_out: int, assigned: SplitAssignment, min_train: int, sources: str) -> str:
    """What a training lacks, in a sentence; empty if it lacks nothing."""
    if trained >= min_train and held_out >= MIN_HELD_OUT and not assigned.unassigned:
        return ""
    takes, have = min_train + MIN_HELD_OUT, trained + held_out
    if assigned.unassigned and have < takes:
        return (
            f"it takes {takes} usable examples (MIN_EXAMPLES + {MIN_HELD_OUT}), and the {sources} have {have}: add more"
        )
    if assigned.unassigned:
        return assigned.lacks
    return (
        f"it takes {min_train} usable examples to train on (MIN_EXAMPLES) and {MIN_HELD_OUT} that are held out, and the"
        f" {sources} have {trained} and {held_out}: add more"
    )
