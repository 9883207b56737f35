"""The objects of a labeling config, and what a model is given of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal, Self
from xml.etree.ElementTree import Element

from annotune.completion import Message
from annotune.errors import LabelingInvalid, RequestInvalid

OBJECTS = ("Text", "HyperText", "Paragraphs", "Image", "Audio", "Video", "List", "Table", "TimeSeries", "Chat", "Pdf")
READABLE = ("Text", "HyperText", "Paragraphs", "Image", "List", "Table")
ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "bot", "ai", "model", "agent", "gpt"), "assistant"),
}
HIDDEN = frozenset({"script", "style", "template"})
BLOCKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section"})


@dataclass(frozen=True)
class LabeledObject:
    """One object tag: shows the field `field` of a task's data."""

    name: str
    tag: str
    field: str
    text_key: str = "text"
    name_key: str = "author"

    @classmethod
    def parse(cls, tag: Element) -> Self:
        """Raises LabelingInvalid where a model cannot be given what the tag shows; the message says what to mend."""
        name, value = tag.get("name", ""), tag.get("value", "")
        if tag.tag not in READABLE:
            raise LabelingInvalid(f"<{tag.tag} name={name!r}> cannot be read by a model: use one of {READABLE}")
        if not value.startswith("$"):
            raise LabelingInvalid(f"<{tag.tag} name={name!r}> has value={value!r}: let it show a field, as in '$text'")
        return cls(
            name=name,
            tag=str(tag.tag),
            field=value.removeprefix("$"),
            text_key=tag.get("textKey", "text"),
            name_key=tag.get("nameKey", "author"),
        )

    @property
    def is_image(self) -> bool:
        """Shown to the model as a picture: it has no text."""
        return self.tag == "Image"

    def value(self, data: Mapping[str, object]) -> object:
        """What the task holds for it.

        Raises:
            RequestInvalid: the task has no such field.
        """
        if self.field not in data:
            raise RequestInvalid(
                f"the task's data has no field {self.field!r}, which <{self.tag} name={self.name!r}> shows;"
                f" its fields are {sorted(data)}"
            )
        return data[self.field]

    def text(self, data: Mapping[str, object]) -> str:
        """What it shows, as text: a turn, an item or a row to a line. Raises RequestInvalid as `value`."""
        value = self.value(data)
        if isinstance(value, str):
            return _stripped(value) if self.tag == "HyperText" else value
        if isinstance(value, list):
            return "\n".join(self._line(item) for item in value)
        if self.tag == "Table" and isinstance(value, dict):
            return _row(value, "\n")
        return "" if value is None else json.dumps(value, ensure_ascii=False)

    def turns(self, data: Mapping[str, object]) -> tuple[Message, ...]:
        """The turns of a dialogue between a person and an assistant; none where it is anything else."""
        value = self.value(data) if self.tag == "Paragraphs" else None
        items = value if isinstance(value, list) else []
        turns = []
        for item in items:
            role = ROLES.get(str(item.get(self.name_key, "")).strip().casefold()) if isinstance(item, dict) else None
            if role is None:
                return ()
            turns.append(Message(role, str(item.get(self.text_key, ""))))
        return tuple(turns)

    def address(self, data: Mapping[str, object]) -> str:
        """Where the picture of an Image is, as the task says.

        Raises:
            RequestInvalid: the task has no such field, or no text in it.
        """
        value = self.value(data)
        if not isinstance(value, str) or not value.strip():
            raise RequestInvalid(f"the field {self.field!r}, which <Image name={self.name!r}> shows, is no address")
        return value.strip()

    def _line(self, item: object) -> str:
        if not isinstance(item, dict):
            return str(item)
        if self.tag == "List":
            return " ".join(str(item[key]) for key in ("title", "body") if item.get(key)) or _row(item)
        if self.tag == "Table":
            return _row(item)
        name, text = item.get(self.name_key), str(item.get(self.text_key, ""))
        return f"{name}: {text}" if name else text


def _row(cells: Mapping[str, object], between: str = "; ") -> str:
    return between.join(f"{name}: {_cell(value)}" for name, value in cells.items())


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Text(HTMLParser):
    """What a browser would show: blocks on lines of their own, no scripts and no styles."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self._hidden += tag in HIDDEN
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN and self._hidden:
            self._hidden -= 1
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _stripped(markup: str) -> str:
    reader = _Text()
    reader.feed(markup)
    reader.close()  # gives what follows the last "&"
    lines = "".join(reader.parts).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
