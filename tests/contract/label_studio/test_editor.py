"""An answer never replaces what a person wrote or set. It replaces an earlier answer that nobody edited."""

import pytest
from fake_model import SIMPLE, UNPROTECTED, Backend, FakeModel, MakeBackend, ours, region, task, texts

PROMPT = region("prompt", "Explain")
CORRECTED = region("response", "a person's words", origin="prediction-changed")
CONFIGS = pytest.mark.parametrize("config", [SIMPLE, UNPROTECTED], ids=["smart=false", "smart"])


def ask(backend: Backend, *editor: dict, config: str = UNPROTECTED, **more: object) -> list[dict[str, list[str]]]:
    return texts(backend.predict(task(**more), editor=list(editor), config=config))


def test_the_recorded_edit_changes_nothing(backend: Backend) -> None:
    assert [texts(backend.replay("ui-predict-response-edited")) for _ in range(2)] == [[{}], [{}]]
    assert backend.model.requests == []


@CONFIGS
def test_what_a_person_wrote_stays_whatever_is_asked_and_the_model_is_not(backend: Backend, config: str) -> None:
    ask(backend, PROMPT, config=config)

    assert ask(backend, PROMPT, CORRECTED, config=config) == [{}]
    assert ask(backend, region("prompt", "Other"), CORRECTED, config=config) == [{}]
    assert ask(backend, region("prompt", "Other "), region("response", "typed 💊"), config=config) == [{}]
    assert ask(backend, PROMPT, CORRECTED, config=config, number=2) == [{}]
    assert len(backend.model.requests) == 1


@CONFIGS
def test_an_answer_is_marked_so_that_label_studio_tells_who_changed_it(backend: Backend, config: str) -> None:
    (result,) = backend.predict(task(), editor=[PROMPT], config=config).json["results"]

    assert [item["origin"] for item in result["result"]] == ["prediction"]


@CONFIGS
def test_an_untouched_answer_is_replaced(backend: Backend, config: str) -> None:
    ask(backend, PROMPT, config=config)

    assert ask(backend, PROMPT, ours("response", "answer 1"), config=config) == [{"response": ["answer 2"]}]
    assert ask(backend, region("prompt", "Other"), ours("response", "answer 2"), config=config) == [
        {"response": ["answer 3"]}
    ]
    assert ask(backend, PROMPT, ours("response", "answer 3"), config=config) == [{"response": ["answer 4"]}]


@pytest.mark.parametrize("value", [[], [""], [" \n"]], ids=repr)
def test_a_field_that_was_emptied_is_filled(backend: Backend, value: list[str]) -> None:
    assert ask(backend, PROMPT, region("response", *value)) == [{"response": ["answer 1"]}]


def test_an_edit_of_a_prepared_prediction_changes_nothing(backend: Backend) -> None:
    backend.predict(task(), config=UNPROTECTED)

    assert ask(backend, region("prompt", "Answer briefly"), CORRECTED) == [{}]


def test_a_prepared_prediction_that_nobody_touched_is_replaced_whoever_asks(backend: Backend) -> None:
    stored = [{"id": 1, "result": [PROMPT, region("response", "ours")], "model_version": "base@1"}]

    for number in (1, 2):  # two annotators, who opened the same prediction
        prompt = region("prompt", f"Explain {number}")
        answer = ask(backend, prompt, ours("response", "ours"), predictions=stored)
        assert answer == [{"response": [f"answer {number}"]}]


@pytest.mark.parametrize(
    "left", [("answer 1", "better"), ("answer 2",), ("answer 1", "answer 2", "mine")], ids=["edited", "one", "more"]
)
def test_an_edit_of_one_of_several_answers_changes_nothing(make_backend: MakeBackend, left: tuple[str, ...]) -> None:
    backend = make_backend(num_responses=2)
    ask(backend, PROMPT)

    other = region("prompt", "Other")
    assert ask(backend, other, region("response", *left, origin="prediction-changed")) == [{}]
    assert len(ask(backend, other, ours("response", "answer 1", "answer 2"))[0]["response"]) == 2


def test_an_answer_is_logged_before_it_is_given(make_backend: MakeBackend) -> None:
    backend = make_backend(model=FakeModel(say=lambda _: "  said \n"))
    ask(backend, PROMPT)
    (answer,) = backend.store.answers.known(4, 1)

    assert (answer.prompt, answer.text, answer.typed) == ("Explain", "said", True)
    assert answer.model_version == f"base@{answer.prompt_sha[:8]}"
