"""Rows to train on that ask nearly what a held-out row asks, and questions that only look alike."""

from collections.abc import Collection, Iterator

from curation.checks.finding import Finding
from curation.dataset_reader import DatasetRow
from curation.similarity import SimilarityIndex


class NearRows:
    """Compares the questions of all rows. The held-out rows come first."""

    def __init__(self, common: Collection[str]) -> None:
        """`common` are the words that do not tell questions apart, as `similarity.WordCount` finds them."""
        self._index = SimilarityIndex(common)
        self._held_out: dict[int, int] = {}

    def add(self, row: DatasetRow) -> Iterator[Finding]:
        """`_held_out` has the held-out row that a question, known by its first row's id, is near."""
        same = self._index.same(row.question)
        if same is None:
            yield from self._compare(row)
        held_out = self._held_out.get(row.id if same is None else same)
        if held_out is not None and row.split == "train":
            yield Finding("near held out", (row.id, held_out), "question")

    def _compare(self, row: DatasetRow) -> Iterator[Finding]:
        if row.split == "eval":
            self._held_out[row.id] = row.id
        for near in self._index.near(row.question):
            if not near.is_duplicate:
                words = len(near.differs)
                yield Finding("similar", (row.id, near.key), "question", f"{words} word{'s' * (words > 1)} differ")
            elif row.split == "train" and self._held_out.get(near.key) == near.key:
                self._held_out.setdefault(row.id, near.key)
        self._index.add(row.id, row.question)

    def end(self) -> Iterator[Finding]:
        yield from ()
