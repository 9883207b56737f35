"""A row of a source: its columns as JSON values, or the reason why it cannot be read."""

import datetime as dt
import decimal
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LONGEST_TEXT = 1_000_000  # characters of one cell: more makes a page that no browser shows
DEEPEST = 30
NOT_UTF8 = "has bytes that are not UTF-8: save the source as UTF-8"


class RowUnreadable(ValueError):
    """A row or a value that no task can hold. The message is the reason, and quotes nothing of it."""


@dataclass(frozen=True)
class SourceRow:
    """Row `number` of a source, counted from 1: its `data`, or `bad`, the reason why there is none.

    `place` says where in a file a bad one is. `annotations` and `predictions` come with rows that are tasks of Label Studio.
    """

    number: int
    data: Mapping[str, Any] = field(default_factory=dict)
    bad: str = ""
    place: str = ""
    annotations: Sequence[Mapping[str, Any]] = ()
    predictions: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, number: int, columns: Mapping[str, object]) -> "SourceRow":
        """A row of the columns that are read; bad if a value is none that JSON and a database can hold.

        A column without a name is left out: it is the index that pandas writes.
        """
        data: dict[str, Any] = {}
        for name, value in columns.items():
            if not name:
                continue
            try:
                data[name] = json_value(value)
            except RowUnreadable as error:
                return cls(number, {name: repr(value) for name, value in columns.items()}, bad=f"{name!r} {error}")
        if "" in data or any(map(_is_broken, data)):
            return cls(number, {}, bad="has a column whose name is no text")
        return cls(number, data)


def json_value(value: object, depth: int = 0) -> Any:
    """A value of a Parquet file, a dataset or JSON as Label Studio takes it.

    Dates are written in ISO 8601, bytes are read as UTF-8, and what is not a number is null.

    Raises:
        RowUnreadable: no task can hold it.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_of_bytes(bytes(value))
    if isinstance(value, dt.date | dt.time | decimal.Decimal | dt.timedelta | uuid.UUID):
        return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
    return _nested(value, depth)


def _nested(value: object, depth: int) -> Any:
    if depth >= DEEPEST:
        raise RowUnreadable(f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        return {_text(str(name)): json_value(item, depth + 1) for name, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [json_value(item, depth + 1) for item in value]
    if hasattr(value, "tolist"):  # an array of numpy
        return json_value(value.tolist(), depth + 1)
    raise RowUnreadable(f"holds a {type(value).__name__}, which is neither text nor a number")


def _text(value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise RowUnreadable(f"has more than {LONGEST_TEXT:,} characters")
    if "\0" in value:
        raise RowUnreadable("has a NUL character, which no database of Label Studio takes")
    if _is_broken(value):
        raise RowUnreadable(NOT_UTF8)
    return value


def _text_of_bytes(value: bytes) -> str:
    try:
        return _text(value.decode())
    except UnicodeDecodeError:
        raise RowUnreadable("holds bytes that are no text") from None


def _is_broken(text: str) -> bool:
    """Whether it has half a character: of an odd JSON escape, or a byte that could not be decoded."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
