"""An annotation gets each span once. Label Studio adds the spans of each answer to those that are there."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_model import Backend, FakeModel, MakeBackend, region, task

CONFIG = """<View><Labels name="label" toName="chat"><Label value="Drug"/><Label value="Dose" alias="DS"/></Labels>
<Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="llm_status" toName="chat" smart="false"/><Rating name="stars" toName="chat" smart="false"/></View>"""
TEXT = "😀 Take Zorvaxil 20 mg for gout."
DRUG, DOSE, GOUT = ("Zorvaxil", "Drug"), ("20 mg", "Dose"), ("gout", "Drug")


def told(count: int) -> str:
    return f"Not marked a second time: {count}. To have all marked anew, delete the prompt and write it again."


@pytest.fixture
def backend(make_backend: MakeBackend) -> Backend:
    return make_backend(model=FakeModel(), default_prompt="Mark")


def says(backend: Backend, *spans: tuple[str, str]) -> None:
    fields = {"label": [{"quote": quote, "label": label} for quote, label in spans], "stars": 4}
    backend.model.say = lambda _: json.dumps(fields)


def ask(
    backend: Backend, prompt: str, place: str = "typed-1", origin: str = "manual", **more: object
) -> tuple[list[str], str]:
    """The quotes of an answer, and the status."""
    editor = [region("prompt", prompt, origin=origin) | {"id": place}]
    reply = backend.predict(task(question=TEXT, **more), editor=editor, config=CONFIG)
    regions = reply.json["results"][0]["result"]
    status = [item["value"]["text"][0] for item in regions if item["from_name"] == "llm_status"]
    return [item["value"]["text"] for item in regions if item["type"] == "labels"], "".join(status)


def test_asking_again_gives_only_what_is_new(backend: Backend) -> None:
    says(backend, DRUG, DOSE)
    assert ask(backend, "One") == (["Zorvaxil", "20 mg"], "")
    assert ask(backend, "Two") == ([], told(2))
    says(backend, DRUG, GOUT)
    assert ask(backend, "Three") == (["gout"], told(1))
    says(backend, ("Zorvaxil", "Dose"))
    assert ask(backend, "Another label") == (["Zorvaxil"], "")


def test_a_prompt_that_was_written_anew_gets_all(backend: Backend) -> None:
    """So it is after a reset, and for another annotator."""
    says(backend, DRUG, DOSE)
    ask(backend, "One")

    assert ask(backend, "One", place="typed-2") == (["Zorvaxil", "20 mg"], "")
    assert ask(backend, "One", place="typed-1", number=2) == (["Zorvaxil", "20 mg"], "")
    assert ask(backend, "One", place="") == (["Zorvaxil", "20 mg"], "")


def test_two_people_who_ask_the_same_at_once_are_both_known_to_have_the_marks(backend: Backend) -> None:
    says(backend, DRUG, DOSE)
    answer, both = backend.model.say, threading.Barrier(2, timeout=10)
    backend.model.say = lambda request: [both.wait(), answer(request)][1]
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, backend, "One", place) for place in ("typed-1", "typed-2")]
        assert [each.result() for each in asked] == [(["Zorvaxil", "20 mg"], "")] * 2

    says(backend, DRUG, DOSE)
    assert ask(backend, "Two", place="typed-1") == ([], told(2))
    assert ask(backend, "Two", place="typed-2") == ([], told(2))


@pytest.fixture
def prediction(backend: Backend) -> dict[str, Any]:
    """The prediction that a task is opened with."""
    says(backend, DRUG, DOSE)
    found: dict[str, Any] = backend.predict(task(question=TEXT), config=CONFIG).json["results"][0]
    return found


@pytest.fixture
def place(prediction: dict[str, Any]) -> str:
    return next(item["id"] for item in prediction["result"] if item["from_name"] == "prompt")


def test_what_the_task_was_opened_with_is_not_given_again(
    backend: Backend, prediction: dict[str, Any], place: str
) -> None:
    assert ask(backend, "Two", place, "prediction-changed", predictions=[prediction]) == ([], told(2))
    assert ask(backend, "Two", predictions=[prediction]) == (["Zorvaxil", "20 mg"], "")


def test_after_a_reset_and_for_another_annotator_what_came_later_is_given_again(
    backend: Backend, prediction: dict[str, Any], place: str
) -> None:
    says(backend, DRUG, GOUT)
    for _ in range(2):
        assert ask(backend, "Two", place, "prediction-changed", predictions=[prediction]) == (["gout"], told(1))
        assert ask(backend, "Three", place, "manual", predictions=[prediction]) == ([], told(2))


def test_a_prompt_that_was_a_predictions_is_a_persons_once_it_is_answered(backend: Backend) -> None:
    says(backend, DRUG)
    asked = region("prompt", "One", "Two", origin="prediction-changed") | {"id": "p1"}
    reply = backend.predict(task(question=TEXT), editor=[asked], config=CONFIG).json["results"][0]["result"]
    assert [item for item in reply if item["from_name"] == "prompt"] == [asked | {"origin": "manual"}]

    typed = asked | {"origin": "manual"}
    reply = backend.predict(task(question=TEXT), editor=[typed], config=CONFIG).json["results"][0]["result"]
    assert [item for item in reply if item["from_name"] == "prompt"] == []
