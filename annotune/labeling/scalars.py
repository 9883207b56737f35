"""Controls that hold one value: Rating, Number and DateTime."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Self
from xml.etree.ElementTree import Element

from annotune.errors import LabelingInvalid
from annotune.labeling.controls import MAX_DIGITS, Control, common
from annotune.labeling.prediction import Region

HIGHEST_RATING = 100


@dataclass(frozen=True)
class Rating(Control):
    """Stars, 1 to `highest`."""

    highest: int

    @classmethod
    def parse(cls, tag: Element) -> Self:
        stars = tag.get("maxRating", "5")
        if not stars.isdecimal() or len(stars) > MAX_DIGITS or not 1 <= int(stars) <= HIGHEST_RATING:
            raise LabelingInvalid(f"<Rating name={tag.get('name')!r}> has maxRating={stars!r}: let it be 1 to 100")
        return cls(**common(tag), highest=int(stars))

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "enum": list(range(1, self.highest + 1))}

    @property
    def description(self) -> str:
        return f"a whole number from 1 to {self.highest}"

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - as in TextArea
        number = whole(value)
        if number is None or not 1 <= number <= self.highest:
            raise self._refused(value)
        return [self._region("rating", {"rating": number})]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> int | None:
        return whole(self._value(regions, "rating")) or None


@dataclass(frozen=True)
class Number(Control):
    """A number, within bounds if the config sets some."""

    least: float
    most: float

    @classmethod
    def parse(cls, tag: Element) -> Self:
        return cls(**common(tag), least=_bound(tag, "min", -math.inf), most=_bound(tag, "max", math.inf))

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "number"}

    @property
    def description(self) -> str:
        bounds = [f"at least {self.least:g}"] if math.isfinite(self.least) else []
        bounds += [f"at most {self.most:g}"] if math.isfinite(self.most) else []
        return " ".join(["a number", " and ".join(bounds)]).strip()

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - as in TextArea
        number = _double(value)
        if number is None:
            raise self._refused(value)
        if not self.least <= number <= self.most:
            raise self._refused(str(number))
        return [self._region("number", {"number": number})]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> float | None:
        return _double(self._value(regions, "number"))


@dataclass(frozen=True)
class DateTime(Control):
    """A date, a time, or both. `layout` is the format that the editor (1.23.2) stores, as `strftime` writes it."""

    layout: str
    example: str

    @classmethod
    def parse(cls, tag: Element) -> Self:
        only = {part.strip() for part in (tag.get("only") or "date,time").split(",")}
        if only == {"time"}:
            return cls(**common(tag), layout="%H:%M", example="14:30")
        if "date" not in only:
            raise LabelingInvalid(
                f"<DateTime name={tag.get('name')!r}> has only={tag.get('only')!r}: a model fills 'date', 'time' or both"
            )
        form = "%Y-%m-%dT%H:%M" if "time" in only else "%Y-%m-%d"
        example = "2024-05-31T14:30" if "time" in only else "2024-05-31"
        return cls(**common(tag), layout=tag.get("format") or form, example=example)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    @property
    def description(self) -> str:
        kind = {5: "a time", 10: "a date"}.get(len(self.example), "a date and time")
        return f'{kind} such as "{self.example}"'

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - as in TextArea
        if not isinstance(value, str):
            raise self._refused(value)
        try:
            if len(self.example) == len("HH:MM"):
                stored = time.fromisoformat(value.strip()).strftime("%H:%M")
            else:
                stored = datetime.fromisoformat(value.strip()).strftime(self.layout)
        except ValueError as error:
            raise self._refused(value) from error
        return [self._region("datetime", {"datetime": stored})]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> str | None:
        value = self._value(regions, "datetime")
        if not isinstance(value, str) or not value.strip():
            return None
        if len(self.example) == len("HH:MM"):
            return value
        try:
            moment = datetime.strptime(value, self.layout)  # noqa: DTZ007 - as written, without a zone
        except (ValueError, re.error):  # re.error: a layout that names a part twice
            return None
        return moment.isoformat(timespec="minutes")[: len(self.example)]


def whole(value: object) -> int | None:
    """A whole number, `4.0` included; None if the value is not one."""
    number = _double(value)
    return int(number) if number is not None and number == int(number) else None


def _double(value: object) -> float | None:
    """A finite number that a double can hold, as in a browser: a number in JSON may have 400 digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _bound(tag: Element, name: str, unset: float) -> float:
    refused = LabelingInvalid(f"<Number name={tag.get('name')!r}> has {name}={tag.get(name)!r}: write a number")
    try:
        bound = float(tag.get(name) or unset)
    except ValueError as error:
        raise refused from error
    if math.isnan(bound):
        raise refused
    return bound
