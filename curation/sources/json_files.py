"""Rows of JSON files: an array or an object of rows, rows one after the other, JSON lines, and tasks of Label Studio."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import IO, Any

from annotune.errors import RequestInvalid
from curation.sources.row import RowUnreadable, SourceRow
from curation.sources.text import open_text

PIECE = 1 << 18  # characters
LARGEST_VALUE = 200_000_000  # characters of one value, which is held whole
LINE_SHOWN = 1000  # characters
BLANK = " \t\r\n"
# What makes a row with an object `data` a task of Label Studio.
TASK_KEYS = frozenset({"id", "data", "meta", "annotations", "predictions", "drafts"})


def line_rows(path: Path, name: str) -> Iterator[SourceRow]:
    """The rows of JSON lines. A line that is none is a bad row; empty lines are passed over.

    Raises:
        RequestInvalid: the file cannot be read.
    """
    numbers = count(1)
    with open_text(path, name) as text:
        for place, line in enumerate(text, 1):
            if line.strip():
                yield _line_row(next(numbers), place, line)


def _line_row(number: int, place: int, line: str) -> SourceRow:
    try:
        return row_of(number, _DECODER.decode(line.strip()))
    except (ValueError, RecursionError) as error:
        shown = {"line": line[:LINE_SHOWN]}
        return SourceRow(number, shown, bad=f"is no JSON: {_reason(error)}", place=f"line {place}")


def json_rows(path: Path, name: str) -> Iterator[SourceRow]:
    """The rows of a JSON file.

    An array's items, read one by one; the objects of a file that has one after the other; or of a single object: its only
    list, its values if all are objects, or itself.

    Raises:
        RequestInvalid: the file cannot be read, or is no JSON from some place on.
    """
    with open_text(path, name) as text:
        values = _values(text, name)
        first = next(values, None)
        if first is None:
            return
        second = next(values, None)
        if second is None and not first[1]:
            yield from (row_of(number, item) for number, item in enumerate(_items_of(first[0]), 1))
            return
        yield row_of(1, first[0])
        if second is not None:
            yield row_of(2, second[0])
            yield from (row_of(number, value) for number, (value, _) in enumerate(values, 3))


def row_of(number: int, value: object) -> SourceRow:
    """A row of a JSON value. An object with a `data` object and nothing but keys of a task is one of Label Studio's."""
    if not isinstance(value, Mapping):
        return SourceRow(number, bad=f"is no JSON object, but {type(value).__name__}")
    data = value.get("data")
    if not isinstance(data, Mapping) or not (
        value.keys() <= TASK_KEYS or {"annotations", "predictions"} & value.keys()
    ):
        return SourceRow.of(number, value)
    row = SourceRow.of(number, data)
    annotations, predictions = value.get("annotations") or [], value.get("predictions") or []
    if row.bad or not (_are_objects(annotations) and _are_objects(predictions)):
        return SourceRow(number, row.data, bad=row.bad or "its annotations or predictions are no lists of objects")
    return SourceRow(number, row.data, annotations=tuple(annotations), predictions=tuple(predictions))


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _items_of(value: object) -> list[object]:
    if not isinstance(value, Mapping):
        return [value]
    lists = [item for item in value.values() if isinstance(item, list) and item and _are_objects(item)]
    if len(lists) == 1 and not isinstance(value.get("data"), Mapping):
        return list(lists[0])
    if value and all(isinstance(item, Mapping) for item in value.values()) and value.keys() != {"data"}:
        return list(value.values())
    return [value]


def _values(text: IO[str], name: str) -> Iterator[tuple[Any, bool]]:
    """The values of a file and whether each is an item of the array that the file is, in flat memory."""
    reader = _Reader(text, name)
    in_array = reader.take("[")
    if in_array and reader.take("]"):
        return
    while not reader.ended():
        yield reader.value(), in_array
        if in_array and reader.take("]"):
            break
        if in_array and not reader.take(","):
            why = "the file ends before its array does" if reader.ended() else "a comma is missing after a row"
            raise reader.error(why)
        if not in_array:
            reader.take(",")
    else:
        if in_array:
            raise reader.error("the file ends before its array does")
        return
    if not reader.ended():
        raise reader.error("something follows the array")


class _Reader:
    """JSON values of a text, read piece by piece. `before` counts the characters that were dropped."""

    def __init__(self, text: IO[str], name: str) -> None:
        self._text = text
        self._name = name
        self._buffer = ""
        self._at = 0
        self._before = 0
        self._whole = False

    def ended(self) -> bool:
        """Whether only blanks are left."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in BLANK:
                self._at += 1
            if self._at < len(self._buffer):
                return False
            if not self._more():
                return True

    def take(self, character: str) -> bool:
        """Pass over a character, if it comes next."""
        if self.ended() or self._buffer[self._at] != character:
            return False
        self._at += 1
        return True

    def value(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RowUnreadable | RecursionError) or not self._more():
                    raise self.error(_reason(error)) from error
                continue
            if end == len(self._buffer) and self._more():  # a number may go on
                continue
            self._at = end
            return value

    def error(self, reason: str) -> RequestInvalid:
        return RequestInvalid(f"{self._name} is no JSON from character {self._before + self._at + 1:,} on: {reason}")

    def _more(self) -> bool:
        if self._whole:
            return False
        rest = self._buffer[self._at :]
        if len(rest) > LARGEST_VALUE:
            raise self.error(f"a value has more than {LARGEST_VALUE:,} characters: write it as JSON lines")
        piece = self._text.read(max(PIECE, len(rest)))
        self._whole = not piece
        self._before += self._at
        self._buffer, self._at = rest + piece, 0
        return bool(piece)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RowUnreadable("a name comes twice in one object")
    return found


def _no_number(_name: str) -> None:
    """NaN and infinities are no JSON and no number."""


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
