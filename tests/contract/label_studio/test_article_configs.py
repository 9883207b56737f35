"""The article's own labeling configs work unchanged, and the article's faults do not occur."""

import pytest
from article_configs import ALL, COMPARISON, QUESTIONS
from fake_model import Backend, region, texts

DATA = {"question": "Why?", "answer": "the reference", "text": "A long text."}
TASK = {"id": 7, "data": DATA}


@pytest.mark.parametrize("config", ALL.values(), ids=ALL)
def test_setup_accepts_the_config(backend: Backend, config: str) -> None:
    assert backend.send("/setup", {"project": "4.1", "schema": config}).status_code == 200


@pytest.mark.parametrize("config", ALL.values(), ids=ALL)
def test_a_batch_and_a_typed_prompt_are_answered(backend: Backend, config: str) -> None:
    assert texts(backend.predict(TASK, config=config)) == [{"prompt": ["Answer briefly"], "response": ["answer 1"]}]
    assert texts(backend.predict(TASK, config=config, editor=[region("prompt", "Shorter")])) == [
        {"response": ["answer 2"]}
    ]


def test_a_text_with_a_to_name_is_shown_and_never_answered(backend: Backend) -> None:
    (shown,) = texts(backend.predict(TASK, config=COMPARISON))

    assert "summary" not in shown
    assert backend.model.requests[0].schema is None


def test_the_labelled_text_reaches_the_model(backend: Backend) -> None:
    backend.predict(TASK, config=QUESTIONS)

    assert "A long text." in backend.model.requests[0].messages[-1].content


def test_a_correction_where_editing_asks_again_is_not_overwritten(backend: Backend) -> None:
    prompt = region("prompt", "Propose questions")
    backend.predict(TASK, config=QUESTIONS, editor=[prompt])

    edited = backend.predict(TASK, config=QUESTIONS, editor=[prompt, region("response", "a person's words")])

    assert texts(edited) == [{}]
    assert len(backend.model.requests) == 1
