"""Why nothing came: Label Studio shows annotators no error, so that a control of the config says it."""

import pytest
from fake_model import SIMPLE, Backend, FakeModel, MakeBackend, region, task, texts

from annotune.errors import ModelServerUnreachable

AWAY = "Ollama at http://fake is not reachable: start it, or mend OLLAMA_ENDPOINT"
WITH_STATUS = SIMPLE.replace(
    "</View>", '<TextArea name="llm_status" toName="chat" smart="false" editable="false"/></View>'
)
PROMPT = region("prompt", "Explain")


def test_a_person_is_told_in_one_sentence_why_nothing_came(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)
    reply = backend.predict(task(), screen=[PROMPT], config=WITH_STATUS)

    assert texts(reply) == [{"llm_status": [AWAY]}]
    assert AWAY in caplog.text


def test_a_config_without_the_control_gets_the_error(backend: Backend) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)

    assert backend.predict(task(), screen=[PROMPT]).status == f"503 {AWAY}"


def test_the_next_answer_clears_what_was_told(backend: Backend) -> None:
    shown = [PROMPT, region("llm_status", AWAY)]

    assert texts(backend.predict(task(), screen=shown, config=WITH_STATUS)) == [
        {"response": ["answer 1"], "llm_status": [""]}
    ]


def test_nothing_is_cleared_where_nothing_is_shown(backend: Backend) -> None:
    assert texts(backend.predict(task(), screen=[PROMPT], config=WITH_STATUS)) == [{"response": ["answer 1"]}]


def test_a_batch_never_stores_a_status(backend: Backend) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)

    assert backend.predict(task(), config=WITH_STATUS).status_code == 503
    assert texts(backend.predict(task(), screen=[region("llm_status", AWAY)], config=WITH_STATUS)) == [{}]


def test_the_control_has_the_name_that_the_setting_says(make_backend: MakeBackend) -> None:
    backend = make_backend(status_control="why", model=FakeModel(broken=ModelServerUnreachable(AWAY)))
    config = WITH_STATUS.replace("llm_status", "why")

    assert texts(backend.predict(task(), screen=[PROMPT], config=config)) == [{"why": [AWAY]}]


def test_a_wrong_task_is_told_too(backend: Backend) -> None:
    (shown,) = texts(backend.predict({"id": 1, "data": {"other": 1}}, screen=[PROMPT], config=WITH_STATUS))

    assert "no field 'question'" in shown["llm_status"][0]


def test_an_answer_that_was_cut_is_marked_and_told(backend: Backend) -> None:
    backend.model.finish = "length"
    (result,) = backend.predict(task(), screen=[PROMPT], config=WITH_STATUS).json["results"]
    answer, status = result["result"]

    assert answer["meta"] == {"text": ["cut after 1024 tokens"]}
    assert "cut after 1024 tokens" in status["value"]["text"][0]
    assert "score" not in result
    assert backend.store.answers(4, 1)[0].cut


def test_a_batch_marks_a_cut_answer_on_its_region(backend: Backend) -> None:
    backend.model.finish = "length"
    (result,) = backend.predict(task(), config=WITH_STATUS).json["results"]

    assert [item.get("meta") for item in result["result"]] == [None, {"text": ["cut after 1024 tokens"]}]


def test_a_placeholder_that_names_nothing_is_told_beside_the_answer(backend: Backend) -> None:
    screen = [region("prompt", "Summarise for 👩\u200d⚕️: {txt} {chat}")]
    (shown,) = texts(backend.predict(task(), screen=screen, config=WITH_STATUS))

    assert shown == {
        "response": ["answer 1"],
        "llm_status": ["The prompt has {txt} and {chat}, which name nothing in this task: did you mean {text}?"],
    }


def test_a_prompt_whose_placeholders_all_name_something_is_told_nothing_of(backend: Backend) -> None:
    prompt = 'Of {question} in {year} and {text} among {labels}, as {"topic": "..."}'
    asked = {"id": 1, "data": {"question": "Why?", "year": 1904}}
    (shown,) = texts(backend.predict(asked, screen=[region("prompt", prompt)], config=WITH_STATUS))

    assert shown == {"response": ["answer 1"]}


def test_a_batch_logs_a_placeholder_that_names_nothing_once(
    make_backend: MakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend = make_backend(default_prompt="Summarise {qestion}, {text}")
    reply = backend.predict(task(1), task(2), task(3), config=WITH_STATUS)

    assert [shown["prompt"] for shown in texts(reply)] == [["Summarise {qestion}, {text}"]] * 3
    told = [record.getMessage() for record in caplog.records if "{qestion}" in record.getMessage()]
    assert told == [
        "project 4: The prompt has {qestion}, which names nothing in 3 of 3 tasks: did you mean {question}?"
    ]


@pytest.mark.parametrize("prompt", ["Summarise: {text}", "Summarise: {question}", "Summarise:"])
@pytest.mark.parametrize("screen", [True, False], ids=["a person asks", "a batch"])
def test_the_text_is_sent_once_wherever_it_is_placed(make_backend: MakeBackend, prompt: str, screen: bool) -> None:
    text = "Zorvaxil 💊 lindert «Kopfweh»; 5 mg {täglich}."
    backend = make_backend(default_prompt=prompt)
    context = {"screen": [region("prompt", prompt)]} if screen else {}
    backend.predict(task(question=text), **context)

    assert backend.model.requests[0].messages[-1].content.count(text) == 1
