"""Spans that were counted in UTF-16 units, found by their words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from annotune.label_studio.rows import AnnotationRow, PredictionRow, TaskRow
from annotune.labeling.config import Labeling
from curation.span_repair import is_ours, shifted_spans

CONFIG = """<View><Text name="t" value="$text"/><Text name="u" value="$other"/><TextArea name="prompt" toName="t"/>
<Labels name="label" toName="t"><Label value="Drug"/></Labels>
<Labels name="second" toName="u"><Label value="Drug"/></Labels></View>"""
TEXT = "😀😀 Take Zorvaxil 20 mg 👨‍👩‍👧‍👦 for gout."
AT = datetime(2026, 11, 26, tzinfo=UTC)
OURS = "llama3@0123abcd"
PROMPT = {"id": "p", "from_name": "prompt", "to_name": "t", "type": "textarea", "value": {"text": ["Mark."]}}


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def span(quote: str, *, shifted: bool = True, text: str = TEXT, control: str = "label") -> dict[str, Any]:
    """A region as earlier versions made it, or as it should be."""
    count, begin = units if shifted else len, text.index(quote)
    start = count(text[:begin])
    value = {"start": start, "end": start + count(quote), "text": quote, "labels": ["Drug"]}
    return {"id": quote, "from_name": control, "to_name": "t", "type": "labels", "value": value}


def task(*predictions: PredictionRow, annotations: tuple[AnnotationRow, ...] = (), text: Any = TEXT) -> TaskRow:
    return TaskRow(id=1, data={"text": text, "other": "Zorvaxil 😀"}, predictions=predictions, annotations=annotations)


def prediction(*regions: dict[str, Any], id_: int = 3, version: str | None = OURS) -> PredictionRow:
    return PredictionRow(id=id_, result=regions, model_version=version)


@pytest.mark.parametrize("quote", ["Zorvaxil", "gout", "👨‍👩‍👧‍👦", "20 mg 👨‍👩‍👧‍👦 for", "😀 Take"])
def test_a_shifted_span_is_put_in_its_place_and_all_else_stays(quote: str) -> None:
    kept = prediction(PROMPT, span("Take", shifted=False), span(quote))
    found = shifted_spans(Labeling.parse(CONFIG), task(kept))

    assert found.repaired == {3: [PROMPT, span("Take", shifted=False), span(quote, shifted=False)]}
    again = task(prediction(*found.repaired[3]))
    assert not shifted_spans(Labeling.parse(CONFIG), again)


LEFT = {
    "in its place": (TEXT, span("Zorvaxil", shifted=False)),
    "before the first emoji": ("Zorvaxil 😀", span("Zorvaxil", text="Zorvaxil 😀")),
    "without an emoji": ("Take Zorvaxil.", span("Zorvaxil", text="Take Zorvaxil.")),
    "of another text": ("😀 Take aspirin.", span("Zorvaxil")),
    "of another control": (TEXT, span("Zorvaxil", control="box")),
    "of a control of another text": (TEXT, span("Zorvaxil", control="second")),
    "without its words": (TEXT, {"from_name": "label", "value": {"start": 10, "end": 18, "labels": ["Drug"]}}),
    "of odd offsets": (TEXT, {"from_name": "label", "value": {"start": "10", "end": None, "text": "Zorvaxil"}}),
    "without a value": (TEXT, {"from_name": "label", "value": None}),
    "of a text that is none": (["😀"], span("Zorvaxil")),
}


@pytest.mark.parametrize(("text", "region"), LEFT.values(), ids=LEFT)
def test_what_is_not_shifted_is_left(text: object, region: dict[str, Any]) -> None:
    assert not shifted_spans(Labeling.parse(CONFIG), task(prediction(region), text=text))


@pytest.mark.parametrize("version", ["gpt-4", "", None, "gpt@1", "gpt@0123ABCD", "@0123abcd", "gpt@0123abcde"])
def test_another_tools_prediction_is_told_and_left(version: str | None) -> None:
    found = shifted_spans(Labeling.parse(CONFIG), task(prediction(span("gout"), version=version)))

    assert (found.repaired, found.foreign) == ({}, (3,))


@pytest.mark.parametrize("version", [OURS, "annotune/main-p4:v0002-1c9f03aa@2f1c09aa", "a@b@0123abcd"])
def test_a_version_with_the_prompts_sha_is_ours(version: str) -> None:
    assert is_ours(prediction(version=version))


def test_an_annotation_is_told_alone() -> None:
    submitted = [
        AnnotationRow(id=id_, result=(span("gout", shifted=shifted),), created_at=AT, updated_at=AT)
        for id_, shifted in ((7, True), (8, False))
    ]
    found = shifted_spans(Labeling.parse(CONFIG), task(annotations=tuple(submitted)))

    assert (found.repaired, found.foreign, found.annotations) == ({}, (), (7,))
