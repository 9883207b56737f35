"""A bad request gets a clear JSON error, and leaves nothing half done."""

import json
from typing import Any

import pytest
from fake_model import SIMPLE, Backend, MakeBackend, task

from annotune.labeling.xml import MAX_CONFIG_CHARACTERS, MAX_DEPTH
from backend.requests import MAX_TASKS

DEEP = 10_000
PREDICT = {"tasks": [task()], "project": 4, "label_config": SIMPLE, "params": {"context": None}}
UNREADABLE = {
    "empty": b"",
    "blank": b"  \n",
    "no JSON": b"tasks=1",
    "no text": b"\xff\xfe\x00",
    "cut": b'{"action": "ANNOTATION',
    "list": b"[]",
    "null": b"null",
    "number": b"1",
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "NaN": b"NaN",
    "NaN in a task": b'{"tasks": [{"id": 1, "data": {"question": NaN}}], "project": 4, "label_config": "<View/>"}',
}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("/predict", PREDICT | {"tasks": 1}, "tasks"),
    ("/predict", PREDICT | {"tasks": [1]}, "tasks.0"),
    ("/predict", PREDICT | {"tasks": [{"data": {}}]}, "tasks.0.id"),
    ("/predict", PREDICT | {"tasks": [{"id": 1, "data": "x"}]}, "tasks.0.data"),
    ("/predict", PREDICT | {"tasks": [1] * (MAX_TASKS + 1)}, "tasks"),
    ("/predict", PREDICT | {"tasks": [{"id": -1, "data": {}}]}, "tasks.0.id"),
    ("/predict", PREDICT | {"project": "four"}, "project"),
    ("/predict", PREDICT | {"project": None}, "project"),
    ("/predict", PREDICT | {"project": True}, "project"),
    ("/predict", PREDICT | {"project": "-4"}, "project"),
    ("/predict", PREDICT | {"project": "9" * 5000}, "project"),
    ("/predict", PREDICT | {"label_config": None}, "label_config"),
    ("/predict", PREDICT | {"params": []}, "params"),
    ("/predict", PREDICT | {"params": {"context": {}}}, "params.context.result"),
    ("/predict", PREDICT | {"params": {"context": {"result": {}}}}, "params.context.result"),
    ("/predict", PREDICT | {"params": {"context": {"result": [1]}}}, "params.context.result.0"),
    ("/predict", {"tasks": [task()], "label_config": SIMPLE}, "project"),
    ("/setup", {"project": "4.1"}, "schema"),
    ("/setup", {"project": "4.1", "schema": 1}, "schema"),
    ("/setup", {"project": "4.1", "schema": SIMPLE, "extra_params": [1]}, "extra_params"),
    ("/setup", {"project": "4.1", "schema": SIMPLE, "extra_params": "{no json"}, "extra_params"),
    ("/webhook", {"project": {"id": 4}}, "action"),
    ("/webhook", {"action": None}, "action"),
    ("/webhook", {"action": "ANNOTATION_CREATED", "project": "x"}, "project"),
    ("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": "x"}}, "project.id"),
    ("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": 4}, "annotation": "x"}, "annotation.0"),
    ("/webhook", {"action": "START_TRAINING"}, "project"),
]
NESTED = "".join(f'<Choice value="{n}">' for n in range(2000)) + "</Choice>" * 2000
SIXTEEN_MB = f"<View><!--{'x' * 15_900_000}--></View>"
BROKEN_CONFIGS = {
    "choices 2000 deep": f'<View><Text name="c" value="$q"/><Taxonomy name="r" toName="c">{NESTED}</Taxonomy></View>',
    "views 2000 deep": f'<View><Text name="c" value="$q"/>{"<View>" * 2000}{"</View>" * 2000}</View>',
    "longer than may be": f"<View>{' ' * MAX_CONFIG_CHARACTERS}</View>",
    "as long as a body": SIXTEEN_MB,
    "empty": "",
    "no XML": "<View>",
    "no answer control": '<View><Text name="chat" value="$question"/></View>',
    "prompt control only": '<View><Text name="c" value="$question"/><TextArea name="prompt" toName="c"/></View>',
    "nothing labelled": '<View><TextArea name="response" toName="gone"/></View>',
    "a video": '<View><Video name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>',
    "entities": '<!DOCTYPE x [<!ENTITY a "b">]><View>&a;</View>',
}


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_body_is_400_and_says_what_to_send(backend: Backend, path: str, body: bytes) -> None:
    reply = backend.send(path, body)

    assert reply.status_code == 400
    assert "send" in reply.json["error"]


@pytest.mark.parametrize(("path", "body", "field"), WRONG, ids=[f"{path} {field}" for path, _, field in WRONG])
def test_a_wrong_field_is_400_and_named(backend: Backend, path: str, body: dict, field: str) -> None:
    reply = backend.send(path, json.dumps(body).encode())

    assert reply.status_code == 400
    assert repr(field) in reply.json["error"]
    assert backend.model.requests == []
    assert backend.store.projects.all() == []


@pytest.mark.parametrize("config", BROKEN_CONFIGS.values(), ids=BROKEN_CONFIGS)
def test_a_broken_config_is_refused_with_the_reason(backend: Backend, config: str) -> None:
    setup = backend.send("/setup", {"project": "4.1", "schema": config})
    predict = backend.send("/predict", PREDICT | {"label_config": config})

    assert (setup.status_code, predict.status_code) == (400, 400)
    assert setup.json == predict.json
    assert backend.store.projects.all() == []


@pytest.mark.parametrize("extra", [None, {}, {"temperature": 0.2}, '{"temperature": 0.2}', "", "{}"])
def test_extra_params_may_be_an_object_its_json_or_nothing(backend: Backend, extra: object) -> None:
    body = {"project": "4.1795359701", "schema": SIMPLE, "extra_params": extra, "hostname": "h", "access_token": "t"}

    assert backend.send("/setup", body).status_code == 200


@pytest.mark.parametrize("project", ["4.1795359701", "4", 4])
def test_a_project_is_understood_in_every_spelling(backend: Backend, project: object) -> None:
    backend.send("/setup", {"project": project, "schema": SIMPLE})

    assert backend.store.projects.all() == [4]


@pytest.mark.parametrize("project", [0, 999, 2**62])
def test_any_project_is_served_with_the_environments_model(backend: Backend, project: int) -> None:
    reply = backend.send("/predict", PREDICT | {"project": project})

    assert reply.json["results"][0]["model_version"].startswith("base@")


def test_predictions_that_others_stored_in_odd_shapes_do_no_harm(backend: Backend) -> None:
    odd = [1, None, {"result": "x"}, {"result": [None, {"from_name": "response"}]}, {"result": {}}]

    assert backend.predict(task(predictions=odd)).status_code == 200
    assert backend.predict(task(predictions=None)).status_code == 200


def test_no_prompt_anywhere_is_an_error_that_names_the_three_ways(make_backend: MakeBackend) -> None:
    backend = make_backend()
    reply = backend.predict(task())

    assert reply.status_code == 400
    assert all(way in reply.json["error"] for way in ("prompt control", "annotune", "DEFAULT_PROMPT"))
    assert backend.model.requests == []


def test_a_task_without_the_labelled_field_is_an_error_that_names_it(backend: Backend) -> None:
    reply = backend.predict({"id": 1, "data": {"other": "x"}})

    assert reply.status_code == 400
    assert "'question'" in reply.json["error"]


def test_a_config_may_be_as_deep_as_it_is_said(backend: Backend) -> None:
    views = MAX_DEPTH - 2
    inner = f'{"<View>" * views}<TextArea name="r" toName="c"/>{"</View>" * views}'
    config = f'<View><Text name="c" value="$q"/>{inner}</View>'
    reply = backend.send("/setup", {"project": 4, "schema": config})
    deeper = backend.send("/setup", {"project": 4, "schema": f"<View>{config}</View>"})

    assert reply.status_code == 200
    assert deeper.status_code == 400


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
def test_a_body_over_the_limit_is_413(make_backend: MakeBackend, path: str, caplog: pytest.LogCaptureFixture) -> None:
    reply = make_backend(max_body_mb=1.5).send(path, b" " * 1_600_000)

    assert reply.status_code == 413
    assert reply.json["error"] == reply.status.removeprefix("413 ")
    assert all(word in reply.json["error"] for word in ("1.6 MB", "1.5", "'annotune predict'", "MAX_BODY_MB"))
    assert reply.json["error"] in caplog.text


def test_a_body_within_the_limit_is_read(make_backend: MakeBackend) -> None:
    backend = make_backend(max_body_mb=1.5, default_prompt="Go")
    reply = backend.predict(task(meta=" " * 1_300_000))

    assert reply.status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/train", 404), ("GET", "/predict", 405)])
def test_unknown_routes_and_methods_answer_json(backend: Backend, method: str, path: str, status: int) -> None:
    reply = backend.app.test_client().open(path, method=method)

    assert (reply.status_code, reply.json["status"]) == (status, status)


def test_no_payload_reaches_the_log(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    backend.predict(task(question="canary-question"))
    backend.send("/predict", PREDICT | {"tasks": "canary-tasks"})
    backend.send("/webhook", {"action": "START_TRAINING", "project": {"id": 4, "token": "canary-token"}})
    backend.send("/setup", {"project": 4, "schema": SIMPLE, "access_token": "canary-access"})

    assert "canary" not in caplog.text
