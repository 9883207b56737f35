"""The objects of a labeling config, and what a model reads of them."""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self
from xml.etree.ElementTree import Element

import lxml.etree

from annotune.chat import Message
from annotune.errors import LabelingInvalid, RequestInvalid
from annotune.labeling.regions import valid_unicode

OBJECTS = ("Text", "HyperText", "Paragraphs", "Image", "Audio", "Video", "List", "Table", "TimeSeries", "Chat", "Pdf")
READABLE = ("Text", "HyperText", "Paragraphs", "Image", "List", "Table")
BESIDE = ("Text", "HyperText", "Paragraphs", "List", "Table")  # no Image: a model without vision would refuse the task
EMPTY: tuple[object, ...] = (None, "", [])
ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "bot", "ai", "model", "agent", "gpt"), "assistant"),
}
HIDDEN = frozenset({"script", "style", "template"})
BLOCKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section"})


@dataclass(frozen=True)
class LabeledObject:
    """One object tag, which shows the field `field` of a task's data. `beside`: no control that a model fills labels it."""

    name: str
    tag: str
    field: str
    text_key: str = "text"
    name_key: str = "author"
    beside: bool = False

    @classmethod
    def parse(cls, tag: Element, *, beside: bool = False) -> Self:
        """Raises LabelingInvalid if a model cannot read what the tag shows; the message says what to fix."""
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
            beside=beside,
        )

    @property
    def is_image(self) -> bool:
        """Whether the model gets a picture instead of a text."""
        return self.tag == "Image"

    def shows(self, data: Mapping[str, object]) -> bool:
        """Whether the model gets it. The field of an object beside the labelled ones may be missing or empty."""
        return not self.beside or data.get(self.field) not in EMPTY

    def value(self, data: Mapping[str, object]) -> object:
        """Its value in the task's data.

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
        """Its text: one line for each turn, item or row. Raises RequestInvalid as `value`."""
        value = self.value(data)
        if isinstance(value, str):
            return _stripped(value) if self.tag == "HyperText" else value
        if isinstance(value, list):
            return "\n".join(self._line(item) for item in value)
        if self.tag == "Table" and isinstance(value, dict):
            return _row(value, "\n")
        return "" if value is None else json.dumps(value, ensure_ascii=False)

    def turns(self, data: Mapping[str, object]) -> tuple[Message, ...]:
        """The turns of a dialogue between a person and an assistant; none if it shows anything else."""
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
        """The address of an Image's picture in the task's data.

        Raises:
            RequestInvalid: the task has no such field, or no text in it.
        """
        value = self.value(data)
        if not isinstance(value, str) or not value.strip():
            raise RequestInvalid(f"the field {self.field!r}, which <Image name={self.name!r}> shows, is not an address")
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


def shown_objects(root: Element, labeled: Container[str], *, beside: bool) -> tuple[LabeledObject, ...]:
    """The objects that a model gets, in the order of the page.

    These are the objects that its controls label, named in `labeled`, and with `beside` every other text that a person
    sees. No field comes twice.

    Raises:
        LabelingInvalid: a model cannot read an object that a control labels.
    """
    objects = [tag for tag in root.iter() if tag.tag in OBJECTS and tag.get("value") and tag.get("name")]
    ours = [tag for tag in objects if tag.get("name") in labeled]
    given = {tag.get("value") for tag in ours}
    seen = {tag.get("name") for tag in _seen(root)} if beside else set()
    found = []
    for tag in objects:
        value = tag.get("value", "")
        if tag in ours:
            found.append(LabeledObject.parse(tag))
        elif tag.get("name") in seen and tag.tag in BESIDE and value.startswith("$") and value not in given:
            found.append(LabeledObject.parse(tag, beside=True))
            given.add(value)
    return tuple(found)


def _seen(tag: Element) -> Iterator[Element]:
    """A tag and the tags within it, except those that a condition or a style hides, or that read from an address."""
    style = tag.get("style", "").replace(" ", "").lower()
    if not tag.get("visibleWhen") and "display:none" not in style and tag.get("valueType") != "url":
        yield tag
        for child in tag:
            yield from _seen(child)


def _row(cells: Mapping[str, object], between: str = "; ") -> str:
    return between.join(f"{name}: {_cell(value)}" for name, value in cells.items())


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Shown:
    """An lxml target that collects the text a browser shows: blocks on their own lines, no scripts, no styles."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._hidden = 0

    def start(self, tag: str, _attributes: object) -> None:
        self._hidden += tag in HIDDEN
        self._parts += ["\n"] if tag in BLOCKS else []

    def end(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN
        self._parts += ["\n"] if tag in BLOCKS else []

    def data(self, text: str) -> None:
        if not self._hidden:
            self._parts.append(text)

    def close(self) -> str:
        return "".join(self._parts)


def _stripped(markup: str) -> str:
    """The text of HTML.

    libxml2 reads any text in linear time. The standard library's parser takes minutes for a hostile one, and raises
    AssertionError for `<![x[y]]>` (Python 3.11). No tree is made, since libxml2 drops deeply nested parts from a tree.
    """
    # libxml2 stops at a NUL.
    readable = valid_unicode(markup).replace("\0", "").encode()
    parser = lxml.etree.HTMLParser(target=_Shown(), encoding="utf-8", huge_tree=True)
    parser.feed(readable)
    text: str = parser.close()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
