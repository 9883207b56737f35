"""The controls of a labeling config that a language model can fill.

Each says what it wants (a JSON schema and a line in words), makes regions of what the model gave, and reads a person's
regions back into the same JSON, so that what is asked, checked and learned is one thing.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Self
from xml.etree.ElementTree import Element

from annotune.errors import AnswerInvalid, LabelingInvalid
from annotune.labeling.conditions import ShownWhen, shown_when
from annotune.labeling.prediction import Region
from annotune.labeling.regions import new_region, region_text, text_region

LONGEST_SHOWN = 80
LONGEST_TEXT = 100_000
HIGHEST_RATING = 100
DIGITS = 9  # of a whole number in a config
SIDES = ("left", "right")


@dataclass(frozen=True)
class Control(ABC):
    """One control. `smart` is False where Label Studio asks nobody when a person changes it (`smart="false"`)."""

    name: str
    to_name: str
    smart: bool
    shown_when: ShownWhen | None

    @classmethod
    @abstractmethod
    def parse(cls, tag: Element) -> Self:
        """Raises LabelingInvalid where the tag cannot be filled; the message says what to fix."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What an answer may choose among, as the model is told; none where it is free."""
        return ()

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty list is an answer."""
        return False

    @property
    def known_to_sdk(self) -> bool:
        """Whether the SDK's validation (2.1.2) knows what the editor stores; where it does not, ours stands alone."""
        return True

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its answer."""

    @property
    @abstractmethod
    def wanted(self) -> str:
        """What its answer is, in words for a model, such as `one of "yes", "no"`."""

    @abstractmethod
    def regions(self, value: object, text: str) -> list[Region]:
        """The regions of an answer in JSON. `text` is what the labelled object shows.

        Raises:
            AnswerInvalid: it does not fit; the message names the control and what it wants.
        """

    @abstractmethod
    def answer(self, regions: Iterable[Mapping[str, Any]]) -> Any:
        """A person's regions of this control as the JSON that a model should have given; None where there is nothing."""

    def _region(self, kind: str, value: dict[str, Any]) -> Region:
        return new_region(self.name, self.to_name, kind, value)

    def _value(self, regions: Iterable[Mapping[str, Any]], key: str) -> Any:
        """What the control's first region holds under a key; None where there is none."""
        return next((value[key] for value in self._values(regions) if key in value), None)

    def _values(self, regions: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        mine = [region.get("value") for region in regions if region.get("from_name") == self.name]
        return [value for value in mine if isinstance(value, Mapping)]

    def _refused(self, value: object, why: str = "") -> AnswerInvalid:
        shown = f"{str(value)[:LONGEST_SHOWN]!r}" if isinstance(value, str) else f"a {type(value).__name__}"
        wanted = f'"{self.name}" must be {self.wanted}'
        return AnswerInvalid(f"{wanted}, not {shown}{why and f' ({why})'}", told=wanted)


@dataclass(frozen=True)
class TextArea(Control):
    """Free text."""

    @classmethod
    def parse(cls, tag: Element) -> Self:
        return cls(**common(tag))

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    @property
    def wanted(self) -> str:
        return "a text"

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - free text needs no source
        if not isinstance(value, str) or not value.strip() or not is_text(value):
            raise self._refused(value)
        if len(value) > LONGEST_TEXT:
            raise self._refused(value, f"it has {len(value)} characters, of at most {LONGEST_TEXT}")
        return [text_region(self.name, self.to_name, [value.strip()])]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> str | None:
        return region_text(regions, self.name)


@dataclass(frozen=True)
class Rating(Control):
    """Stars, 1 to `highest`."""

    highest: int

    @classmethod
    def parse(cls, tag: Element) -> Self:
        stars = tag.get("maxRating", "5")
        if not stars.isdecimal() or len(stars) > DIGITS or not 1 <= int(stars) <= HIGHEST_RATING:
            raise LabelingInvalid(f"<Rating name={tag.get('name')!r}> has maxRating={stars!r}: let it be 1 to 100")
        return cls(**common(tag), highest=int(stars))

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "enum": list(range(1, self.highest + 1))}

    @property
    def wanted(self) -> str:
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
    """A number within bounds, where there are some."""

    least: float
    most: float

    @classmethod
    def parse(cls, tag: Element) -> Self:
        return cls(**common(tag), least=_bound(tag, "min", -math.inf), most=_bound(tag, "max", math.inf))

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "number"}

    @property
    def wanted(self) -> str:
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
    """A date, a time, or both; stored in `layout`, the editor's own form (1.23.2) in `strftime`'s words."""

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
    def wanted(self) -> str:
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
        except (ValueError, re.error):  # the latter of a layout that names a part twice
            return None
        return moment.isoformat(timespec="minutes")[: len(self.example)]


@dataclass(frozen=True)
class Pairwise(Control):
    """The better of two objects. Its region names the control itself as its object, as the editor (1.23.2) stores it."""

    @classmethod
    def parse(cls, tag: Element) -> Self:
        shown = tag.get("toName", "").split(",")
        if len(shown) != len(SIDES):
            raise LabelingInvalid(f"<Pairwise name={tag.get('name')!r}> compares two objects: name both in toName")
        return cls(**common(tag))

    @property
    def known_to_sdk(self) -> bool:
        return False

    @property
    def labels(self) -> tuple[str, ...]:
        return SIDES

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(SIDES)}

    @property
    def wanted(self) -> str:
        left, right = self.to_name.split(",")
        return f'"left" where {left} is the better one, or "right" where {right} is'

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - as in TextArea
        side = value.strip().lower() if isinstance(value, str) else None
        if side not in SIDES:
            raise self._refused(value)
        return [new_region(self.name, self.name, "pairwise", {"selected": side})]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> str | None:
        value = self._value(regions, "selected")
        return value if value in SIDES else None


def common(tag: Element) -> dict[str, Any]:
    """What all controls read alike."""
    return {
        "name": tag.get("name", ""),
        "to_name": ",".join(name.strip() for name in tag.get("toName", "").split(",")),
        "smart": tag.get("smart", "true").lower() != "false",
        "shown_when": shown_when(tag),
    }


def is_text(value: str) -> bool:
    """Whether it can be stored: no half surrogate pair, and no NUL, which a database takes for the end."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def whole(value: object) -> int | None:
    """A whole number, also one that is written as `4.0`."""
    number = _double(value)
    return int(number) if number is not None and number == int(number) else None


def _double(value: object) -> float | None:
    """A number that a double can hold, as each browser does: JSON's may have 400 digits."""
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
