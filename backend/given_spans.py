"""Spans that an annotation got with earlier answers, so that none is added twice.

When a person asks, Label Studio (1.23.2) sends no spans, and adds the spans of each answer to those on the page. A draft is
up to five seconds old. But the prompt's region keeps its id until it is deleted, whatever is written in it. So the answers
to that region are known: each span of them is still on the page, or a person deleted it. All annotations made from one
prediction have the ids of its regions. The prompt's origin marks the first question of each annotation, and the first one
after a reset (see editor.py).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotune.answer import Answer
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Region
from annotune.labeling.spans import Labels

SpanKey = tuple[str, str, str]
"""Control, quote, label."""


def span_controls(labeling: Labeling) -> tuple[Labels, ...]:
    """The controls whose answers are spans."""
    return tuple(control for control in labeling.controls if isinstance(control, Labels))


def earlier_spans(
    labeling: Labeling, prompt_region_id: str, answers: Iterable[Answer], predictions: Iterable[Sequence[Region]]
) -> frozenset[SpanKey]:
    """The spans that an annotation got already.

    Args:
        labeling: the project's labeling config.
        prompt_region_id: the id of the annotation's prompt region; empty if it has none.
        answers: the logged answers for the task.
        predictions: the regions of each stored prediction of the task.
    """
    if not prompt_region_id:
        return frozenset()
    texts = [answer.text for answer in answers if answer.place == prompt_region_id]
    texts += [
        labeling.answer(regions) or ""
        for regions in predictions
        if any(_is_prompt(labeling, prompt_region_id, region) for region in regions)
    ]
    return frozenset(key for text in texts for key in _span_keys(labeling, _fields(text)))


def without_spans(labeling: Labeling, regions: Iterable[Region], spans: frozenset[SpanKey]) -> list[Region]:
    """The regions without these spans."""
    return [region for region in regions if not spans.intersection(_keys_of_region(labeling, region))]


def _is_prompt(labeling: Labeling, region_id: str, region: Region) -> bool:
    return region.get("id") == region_id and region.get("from_name") == labeling.prompt_control


def _keys_of_region(labeling: Labeling, region: Region) -> set[SpanKey]:
    fields = {control.name: control.answer([region]) for control in span_controls(labeling)}
    return _span_keys(labeling, fields)


def _span_keys(labeling: Labeling, fields: Mapping[str, Any]) -> set[SpanKey]:
    found = [(control.name, span) for control in span_controls(labeling) for span in fields.get(control.name) or ()]
    return {(name, str(span.get("quote")), str(span.get("label"))) for name, span in found if isinstance(span, dict)}


def _fields(text: str) -> dict[str, Any]:
    """The answer's value for each control."""
    try:
        fields = json.loads(text)
    except ValueError:  # the answer is free text, of an earlier labeling config
        return {}
    return fields if isinstance(fields, dict) else {}
