"""The controls of a labeling config that a language model can fill.

Each says what it wants (a JSON schema and a line in words), makes regions of what the model gave, and reads a person's
regions back into the same JSON, so that what is asked, checked and learned is one thing.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from xml.etree.ElementTree import Element

from annotune.errors import AnswerInvalid
from annotune.prediction import Region

LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Control(ABC):
    """One control. `smart` is False where Label Studio asks nobody when a person changes it (`smart="false"`)."""

    name: str
    to_name: str
    smart: bool = True

    @classmethod
    @abstractmethod
    def parse(cls, tag: Element) -> Self:
        """Raises LabelingInvalid where the tag cannot be filled; the message says what to mend."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What an answer may choose among, as the model is told; none where it is free."""
        return ()

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
    def answer(self, regions: Sequence[Mapping[str, Any]]) -> Any:
        """A person's regions of this control as the JSON that a model should have given; None where there is nothing."""

    def _region(self, kind: str, value: dict[str, Any]) -> Region:
        return new_region(self.name, self.to_name, kind, value)

    def _refused(self, value: object) -> AnswerInvalid:
        shown = repr(value)
        shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 3]}..."
        return AnswerInvalid(f'"{self.name}" must be {self.wanted}, not {shown}')


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
        if not isinstance(value, str) or not value.strip():
            raise self._refused(value)
        return [text_region(self.name, self.to_name, [value.strip()])]

    def answer(self, regions: Sequence[Mapping[str, Any]]) -> str | None:
        return region_text(regions, self.name)


KINDS: Mapping[str, type[Control]] = {"TextArea": TextArea}


def common(tag: Element) -> dict[str, Any]:
    """What all controls read alike."""
    return {
        "name": tag.get("name", ""),
        "to_name": tag.get("toName", ""),
        "smart": tag.get("smart", "true").lower() != "false",
    }


def new_region(control: str, to_name: str, kind: str, value: dict[str, Any]) -> Region:
    """A region in Label Studio's wire form."""
    return {"id": uuid.uuid4().hex[:10], "from_name": control, "to_name": to_name, "type": kind, "value": value}


def text_region(control: str, to_name: str, texts: Sequence[str]) -> Region:
    """The region of a TextArea."""
    return new_region(control, to_name, "textarea", {"text": list(texts)})


def region_text(regions: Sequence[Mapping[str, Any]], control: str | None) -> str | None:
    """The text of a control's region: several entries are joined by line breaks; None where there is none or only blanks."""
    for region in regions:
        if region.get("from_name") != control:
            continue
        value = region.get("value")
        texts = value.get("text") if isinstance(value, Mapping) else None
        entries = [texts] if isinstance(texts, str) else texts if isinstance(texts, list) else []
        joined = "\n".join(entry for entry in entries if isinstance(entry, str))
        return joined if joined.strip() else None
    return None


def region_texts(regions: Sequence[Mapping[str, Any]], control: str) -> tuple[str, ...]:
    """All texts that a control's regions hold, blank ones left out: more than one, and nobody knows which is meant."""
    found: list[str] = []
    for region in regions:
        if region.get("from_name") != control:
            continue
        value = region.get("value")
        texts = value.get("text") if isinstance(value, Mapping) else None
        entries = texts if isinstance(texts, list) else [texts]
        found += [entry for entry in entries if isinstance(entry, str) and entry.strip()]
    return tuple(found)
