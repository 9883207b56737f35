"""Spans that an annotation was given before.

Label Studio (1.23.2) adds the spans of each answer to those that are there, and sends none of them with a question; a draft
lags by five seconds. But the region of the prompt keeps its id, whatever is written in it, until it is deleted. So what was
given beside it is known: it is on the page still, or a person deleted it. All annotations that are made from one prediction
have its ids; the first question of each, and the first after a reset, is told by the prompt's origin (see editor.py).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotune.answer import Answer
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Region
from annotune.labeling.spans import Labels

SpanKey = tuple[str, str, str]  # control, quote, label


def span_controls(labeling: Labeling) -> tuple[Labels, ...]:
    """The controls whose answers are spans."""
    return tuple(control for control in labeling.controls if isinstance(control, Labels))


def earlier_spans(
    labeling: Labeling, place: str, answers: Iterable[Answer], predictions: Iterable[Sequence[Region]]
) -> frozenset[SpanKey]:
    """What an annotation was given before, whose prompt has the region `place`."""
    texts = [answer.text for answer in answers if place and answer.place == place]
    opened = [regions for regions in predictions if any(_is_prompt(labeling, place, region) for region in regions)]
    texts += [labeling.answer(regions) or "" for regions in opened]
    return frozenset(mark for text in texts for mark in _marks(labeling, _fields(text)))


def without_spans(labeling: Labeling, regions: Iterable[Region], before: frozenset[SpanKey]) -> list[Region]:
    """The regions without the spans that were given before."""
    return [region for region in regions if not before.intersection(_marks_of(labeling, region))]


def _is_prompt(labeling: Labeling, place: str, region: Region) -> bool:
    return bool(place) and region.get("id") == place and region.get("from_name") == labeling.prompt_control


def _marks_of(labeling: Labeling, region: Region) -> set[SpanKey]:
    fields = {control.name: control.answer([region]) for control in span_controls(labeling)}
    return _marks(labeling, fields)


def _marks(labeling: Labeling, fields: Mapping[str, Any]) -> set[SpanKey]:
    found = [(control.name, span) for control in span_controls(labeling) for span in fields.get(control.name) or ()]
    return {(name, str(span.get("quote")), str(span.get("label"))) for name, span in found if isinstance(span, dict)}


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:  # of a time when the config had one free text
        return {}
    return fields if isinstance(fields, dict) else {}
