"""Counts the labels in answers that are JSON, and tells the rare ones."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from annotune.split import SplitName
from curation.checks.finding import Finding
from curation.dataset_reader import DatasetRow

FEWEST_ROWS = 5
"""A label of fewer rows is rare."""
# Of a field with fewer rows nobody can say which labels are rare.
_ROWS_THAT_TELL = 20
# A field whose text differs in nearly every row holds no label.
_MOST_LABELS_SHARE, _MOST_LABELS, _LONGEST_LABEL = 0.2, 1000, 100


@dataclass
class FieldLabels:
    """The labels of one field: in how many rows of each split they are, and the first few of these rows' ids."""

    rows: int = 0
    may_be_text: bool = False
    is_text: bool = False
    counts: dict[SplitName, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    first: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: DatasetRow, labels: set[str], *, may_be_text: bool) -> None:
        self.rows += 1
        self.may_be_text |= may_be_text
        if len(self.first) > _MOST_LABELS or any(len(label) > _LONGEST_LABEL for label in labels):
            self.is_text = True
            self.counts, self.first = {}, {}
        if self.is_text:
            return
        self.counts[row.split].update(labels)
        for label in labels:
            if len(self.first[label]) < FEWEST_ROWS:
                self.first[label].append(row.id)

    @property
    def totals(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    @property
    def has_labels(self) -> bool:
        """Whether the field holds labels, and no free text."""
        few = len(self.first) <= max(2, self.rows * _MOST_LABELS_SHARE)
        return not self.is_text and bool(self.first) and (few or not self.may_be_text)


class LabelCount:
    """The labels of all rows, by field."""

    def __init__(self) -> None:
        self._fields: dict[str, FieldLabels] = defaultdict(FieldLabels)

    @property
    def fields(self) -> Mapping[str, FieldLabels]:
        return {name: found for name, found in self._fields.items() if found.has_labels}

    def add(self, row: DatasetRow) -> tuple[()]:
        if row.answer.lstrip().startswith("{"):
            for name, labels, may_be_text in _labels(row.answer):
                self._fields[name].add(row, labels, may_be_text=may_be_text)
        return ()

    def end(self) -> Iterator[Finding]:
        """The rare labels of the fields with enough rows to tell."""
        for name, found in self.fields.items():
            if found.rows < _ROWS_THAT_TELL:
                continue
            for label, count in sorted(found.totals.items()):
                held_out = found.counts["eval"][label]
                rows = tuple(found.first[label])
                if count < FEWEST_ROWS:
                    yield Finding("rare label", rows, f"answer.{name}", f"{label}: rows {count}")
                elif held_out == count:
                    yield Finding("rare label", rows, f"answer.{name}", f"{label}: rows {count}, all of them held out")


def _labels(answer: str) -> Iterator[tuple[str, set[str], bool]]:
    """Of each field of an answer: its name, its labels, and whether they may be free text."""
    try:
        fields = json.loads(answer)
    except (ValueError, RecursionError):
        return
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if isinstance(value, str | int | float):
            yield name, {str(value)}, isinstance(value, str)
        elif isinstance(value, list):
            labels = [each.get("label") if isinstance(each, dict) else each for each in value]
            yield name, {label for label in labels if isinstance(label, str)}, False
