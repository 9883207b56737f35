"""Each recorded request of Label Studio 1.23.2 gets the answer that it needs."""

import json

import pytest
from fake_model import RECORDED, TRAFFIC, Backend, recorded, texts

PREDICTIONS = [name for name in RECORDED if "predict" in name]
BATCHES = [name for name in PREDICTIONS if recorded(name)["body"]["params"]["context"] is None]
ASKED = ["predict-interactive-api", "ui-predict-second-prompt", "ui-predict-shift-enter"]
EVENTS = [name for name in RECORDED if "webhook" in name]


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_request_gets_200_and_json(backend: Backend, name: str) -> None:
    reply = backend.replay(name)

    assert reply.status_code == 200
    assert isinstance(reply.json, dict)


def test_health_answers_without_asking_anything(backend: Backend) -> None:
    assert backend.replay("health").json["status"] == "UP"
    assert backend.model.requests == []


def test_setup_tells_the_model_version_and_calls_no_model(backend: Backend) -> None:
    version = backend.replay("setup").json["model_version"]

    assert version.startswith("base@")
    assert len(version) == len("base@") + 8
    assert backend.model.requests == []


def test_setup_remembers_the_project(backend: Backend) -> None:
    backend.replay("setup")

    assert backend.store.projects.all() == [4]


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_has_one_result_per_task_in_order(backend: Backend, name: str) -> None:
    questions = [task["data"]["question"] for task in recorded(name)["body"]["tasks"]]
    backend.model.say = lambda request: f"to {request.messages[-1].content.splitlines()[-1]}"

    assert [shown["response"] for shown in texts(backend.replay(name))] == [
        [f"to {question}"] for question in questions
    ]


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_prediction_carries_the_prompt_as_written(backend: Backend, name: str) -> None:
    assert all(shown["prompt"] == ["Answer briefly"] for shown in texts(backend.replay(name)))


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_prediction_names_the_version_that_setup_told(backend: Backend, name: str) -> None:
    version = backend.replay("setup").json["model_version"]

    assert {result["model_version"] for result in backend.replay(name).json["results"]} == {version}


@pytest.mark.parametrize("name", ASKED)
def test_a_typed_prompt_is_asked_and_only_the_answer_comes_back(backend: Backend, name: str) -> None:
    (shown,) = texts(backend.replay(name))

    assert shown == {"response": ["answer 1"]}


def test_the_prompt_is_picked_by_its_control_among_old_answers(backend: Backend) -> None:
    backend.replay("ui-predict-second-prompt")

    assert backend.model.requests[0].messages[-1].content.startswith("second prompt")


def test_the_empty_context_after_a_submit_changes_nothing(backend: Backend) -> None:
    assert texts(backend.replay("ui-predict-empty-context")) == [{}]
    assert backend.model.requests == []


def test_versions_are_a_list_with_what_setup_told(backend: Backend) -> None:
    version = backend.replay("setup").json["model_version"]

    assert backend.replay("versions").json == {"versions": [version]}


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_queued(backend: Backend, name: str) -> None:
    assert backend.replay(name).json["queued"] is True


def test_the_recorded_traffic_holds_no_secret() -> None:
    for path in TRAFFIC.glob("*.json"):
        lines = [
            line for line in path.read_text().splitlines() if "token" in line.lower() or "authorization" in line.lower()
        ]
        assert all("REDACTED" in line or "null" in line for line in lines), path


def test_recorded_files_are_requests_or_the_list_of_what_is_never_called() -> None:
    others = [path.stem for path in TRAFFIC.glob("*.json") if "request" not in json.loads(path.read_text())]

    assert others == ["never-called"]
