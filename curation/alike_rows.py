"""Which rows of a dataset ask nearly the same question."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from curation.row_spool import RowSpool
from curation.similarity import Near, SimilarityIndex, common_words

MOST_SIMILAR = 1000
"""Similar pairs that are told of a dataset."""


@dataclass(frozen=True)
class SimilarRows:
    """A row, and an earlier one that is like it."""

    row: int
    near: Near


@dataclass
class AlikeRows:
    """The near-duplicates among rows, by their numbers.

    Rows whose questions have the same words are one class, known by its first row. `duplicates` has the other classes that
    are near-duplicates of a class, both ways. `similar` has pairs that differ in a rare word, the first `MOST_SIMILAR` of
    `similar_pairs`.
    """

    class_of: list[int] = field(default_factory=list)
    members: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    duplicates: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    similar: list[SimilarRows] = field(default_factory=list)
    similar_pairs: int = 0

    def near(self, row: int) -> Iterator[int]:
        """The rows that are near-duplicates of a row; those with the very same words come first."""
        own = self.class_of[row]
        for other in (own, *self.duplicates.get(own, ())):
            yield from (each for each in self.members[other] if each != row)


def find_alike(spool: RowSpool) -> AlikeRows:
    """Compare the questions of all rows with each other."""
    found = AlikeRows()
    index = SimilarityIndex(common_words(spool.questions()))
    for row, question in enumerate(spool.questions()):
        known = index.same(question)
        own = row if known is None else known
        found.class_of.append(own)
        found.members[own].append(row)
        if known is None:
            _add_class(found, index, row, question)
    return found


def _add_class(found: AlikeRows, index: SimilarityIndex, row: int, question: str) -> None:
    for near in index.near(question):
        if near.is_duplicate:
            found.duplicates[row].append(near.key)
            found.duplicates[near.key].append(row)
        else:
            found.similar_pairs += 1
            if len(found.similar) < MOST_SIMILAR:
                found.similar.append(SimilarRows(row, near))
    index.add(row, question)
