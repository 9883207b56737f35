"""A project's labeling config, parsed: the prompt control, the answer control, the object that they label."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Self
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from label_studio_sdk.label_interface import LabelInterface

from annotune.errors import LabelingInvalid, RequestInvalid
from annotune.prediction import Prediction

READABLE = ("Text", "HyperText", "Paragraphs")
HIDDEN = frozenset({"script", "style", "template"})
BLOCKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section"})
OBJECTS = (*READABLE, "Image", "Audio", "Video", "List", "Table", "TimeSeries", "Chat", "Pdf")


@dataclass(frozen=True)
class Labeling:
    """What of a labeling config matters to a language model.

    `prompt_control` is None where the config has no TextArea whose name starts with the prompt's prefix. `protects_edits`
    is False where an edit of the answer asks the model again: Label Studio does so for a TextArea without
    `smart="false"` (seen with 1.23.2), and the backend itself must then keep what the person wrote.
    """

    config: str
    prompt_control: str | None
    answer_control: str
    object_name: str
    object_tag: str
    object_field: str
    text_key: str
    name_key: str
    protects_edits: bool
    interface: LabelInterface

    @classmethod
    def parse(cls, config: str, prompt_prefix: str = "prompt") -> Self:
        """Read a labeling config.

        A tag such as `<Text toName=...>` is an object all the same: a toName there means nothing to Label Studio, while
        the SDK (2.1.2) would take the tag for a control.

        Raises:
            LabelingInvalid: the config cannot be served; the message says which tag or attribute to mend.
        """
        root = _root(config)
        objects = {
            tag.get("name", ""): tag
            for tag in root.iter()
            if tag.tag in OBJECTS and tag.get("value") and tag.get("name")
        }
        for tag in objects.values():
            tag.attrib.pop("toName", None)
        areas = {tag.get("name", ""): tag for tag in root.iter("TextArea")}
        prompts = [name for name in areas if name.startswith(prompt_prefix)]
        answers = [name for name in areas if name and name not in prompts]
        if not answers:
            raise LabelingInvalid(
                f"the labeling config has no TextArea for the answer (one whose name does not start with"
                f' {prompt_prefix!r}): add <TextArea name="response" toName="..."/>'
            )
        name = "response" if "response" in answers else answers[0]
        target = areas[name].get("toName", "")
        if target not in objects:
            raise LabelingInvalid(f"<TextArea name={name!r}> has toName={target!r}, which names no object with a value")
        labelled = objects[target]
        if labelled.tag not in READABLE:
            raise LabelingInvalid(f"<{labelled.tag} name={target!r}> cannot be read as text: use one of {READABLE}")
        field = labelled.get("value", "")
        if not field.startswith("$"):
            raise LabelingInvalid(
                f"<{labelled.tag} name={target!r}> has value={field!r}: let it show a field, as in '$text'"
            )
        return cls(
            config=config,
            prompt_control=prompts[0] if prompts else None,
            answer_control=name,
            object_name=target,
            object_tag=str(labelled.tag),
            object_field=field.removeprefix("$"),
            text_key=labelled.get("textKey", "text"),
            name_key=labelled.get("nameKey", "author"),
            protects_edits=areas[name].get("smart", "true").lower() == "false",
            interface=_interface(root),
        )

    def text_of(self, data: Mapping[str, object]) -> str:
        """The value of the labelled object in a task's data, as text.

        Raises:
            RequestInvalid: the task has no such field.
        """
        if self.object_field not in data:
            raise RequestInvalid(
                f"the task's data has no field {self.object_field!r}, which <{self.object_tag}"
                f" name={self.object_name!r}> shows; its fields are {sorted(data)}"
            )
        value = data[self.object_field]
        if isinstance(value, str):
            return _stripped(value) if self.object_tag == "HyperText" else value
        if isinstance(value, list):
            return "\n".join(self._turn(item) for item in value)
        return "" if value is None else json.dumps(value, ensure_ascii=False)

    def _turn(self, item: object) -> str:
        if not isinstance(item, dict):
            return str(item)
        name, text = item.get(self.name_key), str(item.get(self.text_key, ""))
        return f"{name}: {text}" if name else text

    def region(self, control: str, texts: Iterable[str]) -> dict[str, Any]:
        """A TextArea region in Label Studio's wire form."""
        return {
            "id": uuid.uuid4().hex[:10],
            "from_name": control,
            "to_name": self.object_name,
            "type": "textarea",
            "value": {"text": list(texts)},
        }

    def check(self, prediction: Prediction) -> Prediction:
        """The prediction itself, if Label Studio's own SDK finds nothing wrong with it.

        Raises:
            LabelingInvalid: a region does not fit the config.
        """
        errors = self.interface.validate_prediction(prediction.as_dict(), return_errors=True)  # type: ignore[no-untyped-call]
        if errors:
            raise LabelingInvalid(f"the prediction does not fit the labeling config: {errors}")
        return prediction


def region_text(regions: Iterable[Mapping[str, Any]], control: str | None) -> str | None:
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


def region_texts(regions: Iterable[Mapping[str, Any]], control: str) -> tuple[str, ...]:
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


def _root(config: str) -> Element:
    try:
        root: Element = fromstring(config.strip())
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise LabelingInvalid(f"the labeling config is no valid XML: {error}") from error
    return root


def _interface(root: Element) -> LabelInterface:
    try:
        return LabelInterface(tostring(root, encoding="unicode"))
    except Exception as error:  # the SDK raises many kinds for a broken config
        raise LabelingInvalid(f"Label Studio's SDK cannot read the labeling config: {error}") from error


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
