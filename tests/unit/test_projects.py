"""The labeling configs that we ship: one look, one order, one way to ask."""

from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from annotune.labeling import Labeling
from curation.projects import LABELING, labeling_config

NAMES = sorted(path.stem for path in LABELING.glob("*.xml"))


def tags(name: str) -> list[Element]:
    return list(fromstring(labeling_config(name)).iter())


def styled(name: str, classes: str) -> Element:
    (view,) = [tag for tag in tags(name) if tag.get("className") == classes]
    return view


def test_all_configs_have_one_style() -> None:
    assert len({tag.text for name in NAMES for tag in tags(name) if tag.tag == "Style"}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_config_shows_object_prompt_status_and_answer_in_this_order(name: str) -> None:
    labeling = Labeling.parse(labeling_config(name))
    order = [tag.get("name") or tag.get("className") for tag in tags(name)]
    objects = [order.index(item.name) for item in labeling.objects]
    prompt, status, answer = (order.index(part) for part in ("prompt", "status", "answer"))

    assert max(objects) < prompt < status < answer
    assert [control.name for control in labeling.controls if order.index(control.name) < answer] == (
        ["label"] if name == "spans" else []  # what marks a text is needed above it
    )
    assert labeling.protects_edits
    assert labeling.status_control


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_how_to_ask_and_what_to_do_with_the_answer(name: str) -> None:
    asked = " ".join(tag.get("value", "") for tag in styled(name, "hint auto").iter("Header"))
    answer = " ".join(tag.get("value", "") for tag in styled(name, "answer").iter("Header"))

    assert "Auto-Annotation" in asked
    assert "Shift+Enter" in asked
    assert "submit" in answer


def test_a_comparison_shows_the_model_the_question_and_both_answers() -> None:
    labeling = Labeling.parse(labeling_config("comparison"))

    assert labeling.text_of({"question": "Why?", "right": "So.", "left": "Thus."}) == (
        "question:\nWhy?\n\nleft:\nThus.\n\nright:\nSo."
    )
