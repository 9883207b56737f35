"""The faults of naive backends, item by item as they were found with Label Studio 1.23.2.

Item 1, private addresses and names without a dot, is the business of `annotune connect`.
"""

import pytest
from fake_model import RECORDED, SIMPLE, UNPROTECTED, Backend, MakeBackend, basic, recorded, region, task, texts

from annotune.errors import ModelServerUnreachable
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Prediction
from annotune.store.queue import CHANGES, TRAINING

PROMPT = region("prompt", "Explain")


def test_02_the_empty_calls_after_a_submit_answer_an_empty_result(backend: Backend) -> None:
    replies = [backend.replay("ui-predict-empty-context") for _ in range(3)]

    assert [texts(reply) for reply in replies] == [[{}]] * 3
    assert backend.model.requests == []


def test_03_a_correction_is_not_overwritten(backend: Backend) -> None:
    backend.predict(task(), editor=[PROMPT], config=UNPROTECTED)

    assert texts(backend.predict(task(), editor=[PROMPT, region("response", "mine")], config=UNPROTECTED)) == [{}]


def test_04_a_webhook_only_queues(backend: Backend) -> None:
    backend.replay("webhook-ANNOTATION_CREATED")
    backend.replay("webhook-START_TRAINING")

    assert backend.jobs.lengths() == {CHANGES: 1, TRAINING: 1}
    assert backend.model.requests == []


def test_05_events_come_by_the_secret_header_and_start_training_by_basic_auth(make_backend: MakeBackend) -> None:
    backend = make_backend(webhook_secret="s", basic_auth_user="u", basic_auth_pass="p")
    event, train = recorded("webhook-ANNOTATION_CREATED")["body"], recorded("webhook-START_TRAINING")["body"]

    assert backend.send("/webhook", event, **{"X-Annotune-Secret": "s"}).status_code == 200
    assert backend.send("/webhook", train, Authorization=basic("u", "p")).status_code == 200


@pytest.mark.parametrize("editor", ["batch", [PROMPT]])
def test_06_an_error_is_the_reason_phrase_since_nothing_else_is_shown(backend: Backend, editor: object) -> None:
    backend.model.broken = ModelServerUnreachable("Ollama is not reachable")

    assert backend.predict(task(), editor=editor).status == "503 Ollama is not reachable"


@pytest.mark.parametrize("editor", ["batch", [PROMPT]])
def test_07_every_prediction_passes_the_sdks_validation_and_has_no_made_up_score(
    backend: Backend, editor: object
) -> None:
    (result,) = backend.predict(task(), editor=editor).json["results"]
    prediction = Prediction(tuple(result["result"]), result["model_version"])

    assert Labeling.parse(SIMPLE).check(prediction) is prediction
    assert "score" not in result


def test_08_a_batch_of_250_tasks_is_one_request_with_250_results(backend: Backend) -> None:
    assert len(texts(backend.predict(*[task(number) for number in range(250)]))) == 250


def test_09_the_creators_token_is_not_needed(backend: Backend) -> None:
    body = recorded("setup")["body"] | {"access_token": None}

    assert backend.send("/setup", body).status_code == 200


@pytest.mark.parametrize("action", ["ANNOTATIONS_DELETED", "ANNOTATION_DELETED"])
def test_10_a_deletion_is_a_change_in_both_spellings(backend: Backend, action: str) -> None:
    backend.send("/webhook", {"action": action, "annotations": [{"id": 1}], "project": {"id": 4}})

    assert backend.store.changes.count(4) == 1


def test_11_an_opened_task_gets_a_prediction_to_keep(backend: Backend) -> None:
    assert texts(backend.replay("ui-predict-task-opened")) == [{"prompt": ["Answer briefly"], "response": ["answer 1"]}]


def test_12_setup_and_health_may_be_polled_and_ask_no_model(backend: Backend) -> None:
    told = {backend.replay(name).text for _ in range(20) for name in ("setup",)}

    assert len(told) == 1
    assert all(backend.replay("health").status_code == 200 for _ in range(20))
    assert backend.model.requests == []


def test_never_called_routes_are_not_there(backend: Backend) -> None:
    assert {recorded(name)["path"] for name in RECORDED} == {"/health", "/setup", "/predict", "/webhook", "/versions"}
    assert backend.send("/train", {}).status_code == 404
