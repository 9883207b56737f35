"""A person's text is never overwritten, and asking again stays possible."""

from fake_model import SIMPLE, UNPROTECTED, Backend, FakeModel, MakeBackend, region, task, texts

PROMPT = region("prompt", "Explain")
CORRECTED = region("response", "a person's words")


def ask(backend: Backend, *screen: dict, config: str = UNPROTECTED, **more: object) -> list[dict[str, list[str]]]:
    return texts(backend.predict(task(**more), screen=list(screen), config=config))


def test_the_recorded_edit_is_a_correction_once_its_prompt_was_answered(backend: Backend) -> None:
    first = backend.replay("ui-predict-response-edited")  # nothing is known yet: it reads like a question
    again = backend.replay("ui-predict-response-edited")

    assert texts(first) == [{"response": ["answer 1"]}]
    assert texts(again) == [{}]


def test_an_edited_answer_changes_nothing(backend: Backend) -> None:
    ask(backend, PROMPT)

    assert ask(backend, PROMPT, CORRECTED) == [{}]
    assert len(backend.model.requests) == 1


def test_the_same_prompt_with_our_answer_still_there_asks_again(backend: Backend) -> None:
    ask(backend, PROMPT)

    assert ask(backend, PROMPT, region("response", " answer 1\n")) == [{"response": ["answer 2"]}]


def test_another_prompt_asks_whatever_the_answer_is(backend: Backend) -> None:
    ask(backend, PROMPT)

    assert ask(backend, region("prompt", "Other"), CORRECTED) == [{"response": ["answer 2"]}]


def test_going_back_to_an_earlier_prompt_asks_again(backend: Backend) -> None:
    ask(backend, PROMPT)
    ask(backend, region("prompt", "Other"), region("response", "answer 1"))

    assert ask(backend, PROMPT, region("response", "answer 2")) == [{"response": ["answer 3"]}]


def test_an_edit_of_a_prepared_prediction_changes_nothing(backend: Backend) -> None:
    backend.predict(task(), config=UNPROTECTED)

    assert ask(backend, region("prompt", "Answer briefly"), CORRECTED) == [{}]


def test_without_a_log_the_predictions_of_the_task_tell(backend: Backend) -> None:
    stored = [{"id": 1, "result": [PROMPT, region("response", "ours")], "model_version": "base@1"}]

    assert ask(backend, PROMPT, CORRECTED, predictions=stored) == [{}]
    assert ask(backend, PROMPT, region("response", "ours"), predictions=stored) == [{"response": ["answer 1"]}]


def test_a_config_that_protects_edits_needs_no_protection_of_ours(backend: Backend) -> None:
    ask(backend, PROMPT, config=SIMPLE)

    assert ask(backend, PROMPT, CORRECTED, config=SIMPLE) == [{"response": ["answer 2"]}]


def test_an_edit_of_one_of_several_answers_changes_nothing(make_backend: MakeBackend) -> None:
    backend = make_backend(num_responses=2)
    ask(backend, PROMPT)
    both = {**region("response", ""), "value": {"text": ["answer 1", "answer 2"]}}
    edited = {**region("response", ""), "value": {"text": ["answer 1", "better"]}}

    assert ask(backend, PROMPT, edited) == [{}]
    assert len(ask(backend, PROMPT, both)[0]["response"]) == 2


def test_the_same_words_in_another_task_are_no_correction(backend: Backend) -> None:
    ask(backend, PROMPT)

    assert ask(backend, PROMPT, CORRECTED, number=2) == [{"response": ["answer 2"]}]


def test_an_answer_is_logged_before_it_is_given(make_backend: MakeBackend) -> None:
    backend = make_backend(model=FakeModel(say=lambda _: "  said \n"))
    ask(backend, PROMPT)
    (answer,) = backend.store.answers(4, 1)

    assert (answer.prompt, answer.text, answer.typed) == ("Explain", "said", True)
    assert answer.model_version == f"base@{answer.prompt_sha[:8]}"
