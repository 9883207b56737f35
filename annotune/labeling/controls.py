"""The controls of a labeling config that a language model can fill.

A control describes its answer (a JSON schema and a line in words), makes regions from a model's answer, and reads a
person's regions back into the same JSON. So what is asked, checked and learned is one thing.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from xml.etree.ElementTree import Element

from annotune.errors import AnswerInvalid, LabelingInvalid
from annotune.labeling.conditions import ShownWhen, condition_of
from annotune.labeling.prediction import Region
from annotune.labeling.regions import new_region, region_text, text_region

MAX_SHOWN = 80
MAX_TEXT_CHARACTERS = 100_000
MAX_DIGITS = 9  # of a whole number in a config
SIDES = ("left", "right")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Control(ABC):
    """One control. If `smart` is False (`smart="false"`), Label Studio sends no request when a person changes it."""

    name: str
    to_name: str
    smart: bool
    shown_when: ShownWhen | None

    @classmethod
    @abstractmethod
    def parse(cls, tag: Element) -> Self:
        """Raises LabelingInvalid if a model cannot fill the control; the message says what to fix."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the objects that it labels."""
        return tuple(self.to_name.split(","))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that an answer chooses among, as the model reads them; none if the answer is free."""
        return ()

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty list is a valid answer."""
        return False

    @property
    def known_to_sdk(self) -> bool:
        """Whether the SDK (2.1.2) can validate what the editor stores. If not, only our own check applies."""
        return True

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the answer."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The answer in words for a model, such as `one of "yes", "no"`."""

    @abstractmethod
    def regions(self, value: object, text: str) -> list[Region]:
        """The regions of an answer in JSON. `text` is the text of the labelled object.

        Raises:
            AnswerInvalid: the answer does not fit; the message names the control and the expected form.
        """

    @abstractmethod
    def answer(self, regions: Iterable[Mapping[str, Any]]) -> Any:
        """A person's regions of this control as the JSON that a model should have given; None if there are none."""

    def _region(self, kind: str, value: dict[str, Any]) -> Region:
        return new_region(self.name, self.to_name, kind, value)

    def _value(self, regions: Iterable[Mapping[str, Any]], key: str) -> Any:
        """The value under a key in the control's first region that has it; None if there is none."""
        return next((value[key] for value in self._values(regions) if key in value), None)

    def _values(self, regions: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        mine = [region.get("value") for region in regions if region.get("from_name") == self.name]
        return [value for value in mine if isinstance(value, Mapping)]

    def _refused(self, value: object, why: str = "") -> AnswerInvalid:
        shown = f"{str(value)[:MAX_SHOWN]!r}" if isinstance(value, str) else f"a {type(value).__name__}"
        expected = f'"{self.name}" must be {self.description}'
        return AnswerInvalid(f"{expected}, not {shown}{why and f' ({why})'}", summary=expected)


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
    def description(self) -> str:
        return "a text"

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - free text needs no source
        if not isinstance(value, str) or not value.strip() or not is_text(value):
            raise self._refused(value)
        if len(value) > MAX_TEXT_CHARACTERS:
            raise self._refused(value, f"it has {len(value)} characters, of at most {MAX_TEXT_CHARACTERS}")
        return [text_region(self.name, self.to_name, [value.strip()])]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> str | None:
        return region_text(regions, self.name)


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
    def description(self) -> str:
        left, right = self.targets
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
    """The attributes that all controls share."""
    return {
        "name": tag.get("name", ""),
        "to_name": ",".join(name.strip() for name in tag.get("toName", "").split(",")),
        "smart": tag.get("smart", "true").lower() != "false",
        "shown_when": condition_of(tag),
    }


def is_text(value: str) -> bool:
    """Whether a text can be stored: it has no half surrogate pair, and no NUL, which ends a text in a database."""
    return not _NO_TEXT.search(value)
