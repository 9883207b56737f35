"""Counts what is in a dataset, in one pass."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from annotune.split import SplitName
from curation.checks.label_count import LabelCount
from curation.dataset import SIDES
from curation.dataset_reader import DatasetReader, DatasetRow
from curation.manifest import DatasetManifest

MOST_BINS = 16
_STEPS = (1, 2, 5)
_SHOWN_SHARE = 0.99
_MEDIAN, _P95 = 0.5, 0.95


@dataclass(frozen=True)
class Bin:
    """How many values are at least `start` and below `stop`. `stop` None: no end."""

    start: int
    stop: int | None
    count: int


@dataclass(frozen=True)
class Distribution:
    """Whole numbers, such as lengths in characters: how many there are, their quantiles, and a histogram.

    The bins have one width. The last one is open if a few values lie far off.
    """

    count: int = 0
    median: int = 0
    p95: int = 0
    largest: int = 0
    bins: tuple[Bin, ...] = ()

    @classmethod
    def of(cls, values: Mapping[int, int]) -> "Distribution":
        """The distribution of values that are 0 or more, by how often each is there."""
        count = sum(values.values())
        if not count:
            return cls()
        ordered = sorted(values)
        return cls(
            count=count,
            median=_quantile(values, ordered, count, _MEDIAN),
            p95=_quantile(values, ordered, count, _P95),
            largest=ordered[-1],
            bins=tuple(_bins(values, _quantile(values, ordered, count, _SHOWN_SHARE), ordered[-1])),
        )


@dataclass(frozen=True)
class DatasetStats:
    """What is in a dataset.

    `kinds` tells how the answers came to be, `edits` how many characters people changed in those that they corrected.
    `prompts` counts rows by the short sha of their prompt, `models` by the version that drafted the answer, `annotators` by
    the annotator's number. `labels` has the labels of answers that are JSON, by field. `lengths` are in characters: of the
    question, the answer, and all messages together.
    """

    manifest: DatasetManifest
    rows: Mapping[SplitName, int]
    kinds: Mapping[str, int]
    edits: Distribution
    prompts: Mapping[str, int]
    models: Mapping[str, int]
    annotators: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    lengths: Mapping[str, Distribution]


@dataclass
class _Tally:
    rows: Counter[SplitName] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    edits: Counter[int] = field(default_factory=Counter)
    prompts: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    annotators: Counter[str] = field(default_factory=Counter)
    labels: LabelCount = field(default_factory=LabelCount)
    lengths: dict[str, Counter[int]] = field(
        default_factory=lambda: {name: Counter() for name in ("question", "answer", "messages")}
    )

    def add(self, row: DatasetRow) -> None:
        origin = row.origin
        self.rows[row.split] += 1
        self.kinds[origin.kind] += 1
        self.prompts[origin.prompt_sha[:8]] += 1
        if origin.kind == "corrected" and origin.edit_distance is not None:
            self.edits[origin.edit_distance] += 1
        if origin.drafted_by:
            self.models[origin.drafted_by] += 1
        self.annotators["unknown" if origin.annotator is None else str(origin.annotator)] += 1
        self.labels.add(row)
        self.lengths["question"][len(row.question)] += 1
        self.lengths["answer"][len(row.answer)] += 1
        self.lengths["messages"][sum(len(message.content) for message in row.messages)] += 1


def dataset_stats(folder: Path) -> DatasetStats:
    """Count what is in a dataset.

    Raises:
        RequestInvalid: the folder is no dataset, or a line in it is no row.
    """
    reader, tally = DatasetReader(folder), _Tally()
    for row in reader.rows():
        tally.add(row)
    return DatasetStats(
        manifest=reader.manifest,
        rows={name: tally.rows[name] for name in SIDES},
        kinds=_ordered(tally.kinds),
        edits=Distribution.of(tally.edits),
        prompts=_ordered(tally.prompts),
        models=_ordered(tally.models),
        annotators=_ordered(tally.annotators),
        labels={name: _ordered(found.totals) for name, found in tally.labels.fields.items()},
        lengths={name: Distribution.of(lengths) for name, lengths in tally.lengths.items()},
    )


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _quantile(values: Mapping[int, int], ordered: list[int], count: int, share: float) -> int:
    """The smallest value such that this share of all values is not above it."""
    seen = 0
    for value in ordered:
        seen += values[value]
        if seen >= share * count:
            return value
    return ordered[-1]


def _bins(values: Mapping[int, int], shown: int, largest: int) -> Iterator[Bin]:
    """Bins from 0 that reach over `shown`, of a width that is 1, 2 or 5 times a power of ten."""
    width = next(
        step * 10**power for power in range(20) for step in _STEPS if shown // (step * 10**power) < MOST_BINS - 1
    )
    last = shown // width
    counts: Counter[int] = Counter()
    for value, count in values.items():
        counts[min(value // width, last + 1)] += count
    for number in range(last + 1):
        yield Bin(number * width, (number + 1) * width, counts[number])
    if largest >= (last + 1) * width:
        yield Bin((last + 1) * width, None, counts[last + 1])
