"""How the last batch ended is in `/health`, since Label Studio hides it; of any text, nothing."""

from fake_model import SIMPLE, Backend, FakeModel, MakeBackend, region, task

from annotune.errors import ModelServerError

BODY = {"project": 4, "label_config": SIMPLE, "params": {"context": None}}


def last(backend: Backend) -> dict:
    told: dict = backend.get("/health").json["last_batch"]
    told.pop("at")
    return told


def test_before_any_batch_there_is_none(backend: Backend) -> None:
    assert backend.get("/health").json["last_batch"] is None


def test_a_batch_that_was_answered(backend: Backend) -> None:
    backend.predict(task(1), task(2))

    assert last(backend) == {"project": 4, "tasks": 2, "answered": 2, "reason": ""}


def test_a_batch_of_which_a_task_was_not_answered(backend: Backend) -> None:
    backend.predict(task(1), {"id": 2, "data": {"canary": "canary"}})

    assert last(backend) == {"project": 4, "tasks": 2, "answered": 1, "reason": "RequestInvalid"}
    assert "canary" not in backend.get("/health").text


def test_a_batch_of_which_nothing_was_answered(make_backend: MakeBackend) -> None:
    broken = FakeModel(broken=ModelServerError("canary"))
    backend = make_backend(default_prompt="Go", model=broken)
    backend.predict(task(1), task(2), task(3))

    assert last(backend) == {"project": 4, "tasks": 3, "answered": 0, "reason": "ModelServerError"}
    assert "canary" not in backend.get("/health").text


def test_a_selection_that_was_too_large_to_be_read(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go", max_body_mb=0.001)
    backend.send("/predict", BODY | {"tasks": [task(n) for n in range(100)]})

    assert last(backend) == {"project": None, "tasks": None, "answered": 0, "reason": "BodyTooLarge"}


def test_a_task_that_is_opened_and_a_person_who_asks_are_no_batches(backend: Backend) -> None:
    backend.predict(task(1), task(2))
    backend.predict(task(3))
    backend.predict(task(4), screen=[region("prompt", "Explain")])

    assert last(backend)["tasks"] == 2
