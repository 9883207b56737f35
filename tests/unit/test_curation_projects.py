"""The labeling configs that we ship: one look, one order, one way to ask, and sample tasks for each."""

import json
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from annotune.deadline import Deadline
from annotune.images import ImageFetcher
from annotune.labeling.config import Labeling
from annotune.prompt import Prompt
from annotune.question import Question
from annotune.settings import Settings
from curation.projects import LABELING, labeling_config

NAMES = sorted(path.stem for path in LABELING.glob("*.xml"))


def tags(name: str) -> list[Element]:
    return list(fromstring(labeling_config(name)).iter())


def samples(name: str) -> list[dict[str, Any]]:
    """The sample tasks of a config, as they are imported."""
    tasks: list[dict[str, Any]] = json.loads((LABELING / f"{name}.json").read_text(encoding="utf-8"))
    return tasks


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


def test_every_config_has_sample_tasks_and_no_sample_is_without_a_config() -> None:
    assert sorted(path.stem for path in LABELING.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_sample_tasks_hold_what_the_config_shows_and_nothing_else(name: str) -> None:
    labeling = Labeling.parse(labeling_config(name))
    tasks = samples(name)

    assert len(tasks) >= 3
    assert len({json.dumps(data) for data in tasks}) == len(tasks)
    for data in tasks:
        assert data.keys() == {item.field for item in labeling.objects}
        assert all(data.values())
        assert labeling.interface.validate_task({"data": data})  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_can_be_asked_about_every_sample_task(name: str) -> None:
    labeling = Labeling.parse(labeling_config(name))
    prompt = Prompt("Do it.", template=Settings().template)
    for data in samples(name):
        asked = "\n".join(message.content for message in Question(labeling, prompt, data).messages)
        told = [value for value in data.values() if isinstance(value, str) and not value.startswith("data:")]
        told += [turn["content"] for turn in data.get("talk", [])]

        assert [text for text in ("Do it.", *told) if text not in asked] == []


def test_sample_pictures_are_in_their_tasks() -> None:
    pictures = ImageFetcher(Settings())

    assert {pictures.fetch(data["image"], Deadline.never()).media_type for data in samples("image")} == {"image/png"}
