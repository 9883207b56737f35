"""Labels over a Text: the model quotes words, the code finds their offsets.

The editor (1.23.2) counts offsets in code points, as Python does: an emoji counts as one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from xml.etree.ElementTree import Element

from annotune.errors import AnswerInvalid, LabelingInvalid
from annotune.labeling.choices import LabelIndex, parse_label
from annotune.labeling.controls import Control, common
from annotune.labeling.prediction import Region

MAX_SPANS = 500


@dataclass(frozen=True)
class Labels(Control):
    """Spans of a text, each with one label."""

    index: LabelIndex

    @classmethod
    def parse(cls, tag: Element) -> Self:
        labels = tuple(filter(None, (parse_label(child) for child in tag.iter("Label"))))
        if not labels or (tag.get("value") or "").startswith("$"):
            raise LabelingInvalid(f"<Labels name={tag.get('name')!r}> has no <Label value=...>: add some")
        return cls(**common(tag), index=LabelIndex(labels))

    @property
    def may_be_empty(self) -> bool:
        return True

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label.value for label in self.index.labels)

    @property
    def schema(self) -> dict[str, Any]:
        span = {"quote": {"type": "string"}, "label": {"type": "string", "enum": list(self.labels)}}
        return {
            "type": "array",
            "items": {
                "type": "object",
                "properties": span,
                "required": list(span),
                "additionalProperties": False,
            },
        }

    @property
    def description(self) -> str:
        names = ", ".join(label.description for label in self.index.labels)
        return (
            'a list of {"quote": ..., "label": ...}, where quote is copied word for word from the text, long enough to'
            f" stand in it once, and label is one of {names}; an empty list where there is nothing to mark"
        )

    def regions(self, value: object, text: str) -> list[Region]:
        if not isinstance(value, list) or len(value) > MAX_SPANS:
            raise self._refused(value)
        return list({self._key(region): region for region in (self._span(item, text) for item in value)}.values())

    def _span(self, item: object, text: str) -> Region:
        if not isinstance(item, Mapping) or not isinstance(item.get("quote"), str):
            raise self._refused(item)
        label = self.index.find(item.get("label"))
        if label is None:
            raise self._refused(item.get("label"))
        quote = item["quote"]
        start = self._place(quote, text)
        value = {"start": start, "end": start + len(quote), "text": quote, "labels": [label.path[-1]]}
        return self._region("labels", value)

    def _place(self, quote: str, text: str) -> int:
        shown = quote[:60]
        if not quote.strip():
            raise AnswerInvalid(f'"{self.name}" has an empty quote: copy the words from the text')
        begin = text.find(quote)
        if begin < 0:
            raise AnswerInvalid(  # a model reads it, as models that were trained before did
                f'"{self.name}" quotes {shown!r}, which does not stand in the text: copy it exactly',
                summary=f'"{self.name}" quotes words that are not in the text',
            )
        if text.find(quote, begin + 1) >= 0:
            raise AnswerInvalid(
                f'"{self.name}" quotes {shown!r}, which stands in the text more than once: quote more words around it',
                summary=f'"{self.name}" quotes words that are in the text more than once',
            )
        return begin

    def _key(self, region: Region) -> tuple[int, int, str]:
        value = region["value"]
        return value["start"], value["end"], value["labels"][0]

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> list[dict[str, str]] | None:
        """As in `Control`. The answer is None too if one span cannot be read, such as one whose label was renamed: an
        incomplete answer would teach the model to leave spans out.

        Spans with the same offsets and label count once, since a second request adds all spans again.
        """
        found: dict[str, dict[str, str]] = {}
        for value in self._values(regions):
            stored, quote = value.get("labels"), value.get("text")
            labels = [self.index.find_stored(label) for label in stored] if isinstance(stored, list) else []
            if not labels or not isinstance(quote, str):
                return None
            for label in labels:  # several with `choice="multiple"`
                if label is None:
                    return None
                span = {"quote": quote, "label": label.value}
                found.setdefault(repr((value.get("start"), value.get("end"), *span.values())), span)
        return list(found.values()) or None
