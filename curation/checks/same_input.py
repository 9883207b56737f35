"""Rows that ask the very same thing: with the same answer they are doubles, with another one a contradiction."""

import hashlib
import json
from collections.abc import Iterable, Iterator

from curation.checks.finding import Finding
from curation.dataset_reader import DatasetRow

_SHA_BYTES = 16
Seen = tuple[int, bytes]
"""A row's id, and the sha of its answer."""


class SameInput:
    """Compares the chats that ask. Letter case and blanks do not count; in an answer, only blanks do not."""

    def __init__(self) -> None:
        self._first: dict[bytes, Seen] = {}
        self._more: dict[bytes, list[Seen]] = {}

    def add(self, row: DatasetRow) -> Iterable[Finding]:
        asked = _sha(*(f"{each.role} {_plain(each.content).casefold()}" for each in row.messages))
        seen = row.id, _sha(_answer(row.answer))
        if self._first.setdefault(asked, seen) is not seen:
            self._more.setdefault(asked, []).append(seen)
        return ()

    def end(self) -> Iterator[Finding]:
        for asked, more in self._more.items():
            every = [self._first[asked], *more]
            rows = tuple(number for number, _ in every)
            answers = len({answer for _, answer in every})
            if answers > 1:
                yield Finding("contradiction", rows, "answer", f"{answers} answers")
            else:
                yield Finding("double", rows, "messages")


def _answer(answer: str) -> str:
    """An answer as it is compared. The order of fields and labels in JSON says nothing."""
    if answer.lstrip().startswith("{"):
        try:
            return json.dumps(_unordered(json.loads(answer)), sort_keys=True)
        except (ValueError, RecursionError):
            pass
    return _plain(answer)


def _unordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: _unordered(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(json.dumps(_unordered(each), sort_keys=True) for each in value)
    return value


def _plain(text: str) -> str:
    return " ".join(text.split())


def _sha(*texts: str) -> bytes:
    sha = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.digest()[:_SHA_BYTES]
