"""What a check of a dataset finds."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from curation.dataset_reader import DatasetRow

Kind = Literal[
    "contradiction",
    "double",
    "near held out",
    "similar",
    "rare label",
    "too long",
    "empty",
    "empty context",
    "e-mail",
    "phone number",
    "record number",
    "name",
]
MEANING: dict[Kind, str] = {
    "contradiction": "the same input has more than one answer",
    "double": "the same input has the same answer more than once",
    "near held out": "a row to train on asks nearly what a held-out row asks",
    "similar": "two questions differ in a rare word only, so both stay",
    "rare label": "few rows have this label, or held-out rows alone",
    "too long": "a training would leave the row out",
    "empty": "the question or the answer is empty",
    "empty context": "the source text in the chat is empty",
    "e-mail": "personal data",
    "phone number": "personal data",
    "record number": "personal data",
    "name": "personal data, as a language model guesses",
}
NOTICES: frozenset[Kind] = frozenset({"similar"})
"""Kinds that are listed, and are no fault of the dataset."""


@dataclass(frozen=True)
class Finding:
    """Something to look at. `rows` are ids. `text` quotes nothing of people: personal data is masked in it."""

    kind: Kind
    rows: tuple[int, ...]
    field: str = ""
    text: str = ""


class RowCheck(Protocol):
    """Looks at all rows of a dataset, the held-out ones first."""

    def add(self, row: DatasetRow) -> Iterable[Finding]:
        """What one more row makes certain."""
        ...

    def end(self) -> Iterable[Finding]:
        """What only all rows together tell."""
        ...


def masked(text: str) -> str:
    """The shape of a text: its first character and its punctuation, all else as asterisks."""
    return text[:1] + re.sub(r"[^\W_]", "*", text[1:])
