"""The status control says why no answer came. Label Studio itself shows annotators no error."""

import pytest
from fake_model import SIMPLE, Backend, FakeModel, MakeBackend, ours, region, task, texts

from annotune.errors import ModelServerUnreachable

AWAY = "Ollama at http://fake is not reachable: start it, or fix OLLAMA_ENDPOINT"
AGAIN = "To ask again, add a space to the prompt."
NOT_ANSWERING = (
    "The model is not answering at the moment; your administrator can see why. Change the prompt or try again later."
    f" {AGAIN}"
)
EARLIER = "The answer below is to an earlier prompt."
KEPT = f"Kept what you set: response. Delete it and ask again to have it replaced. {AGAIN}"
WITH_STATUS = SIMPLE.replace(
    "</View>", '<TextArea name="llm_status" toName="chat" smart="false" editable="false"/></View>'
)
# As the shipped configs: Label Studio submits nothing of what a condition hides, and a style shows it all the same.
UNSUBMITTED = WITH_STATUS.replace(
    '<TextArea name="llm_status"', '<View visibleWhen="choice-selected" whenTagName="never"><TextArea name="llm_status"'
).replace("/></View>", "/></View></View>")
PROMPT = region("prompt", "Explain")


def shown(backend: Backend, *editor: dict, config: str = WITH_STATUS) -> dict[str, list[str]]:
    (result,) = texts(backend.predict(task(), editor=list(editor), config=config))
    return result


def test_a_person_is_told_why_nothing_came_and_the_operator_the_details(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)

    assert shown(backend, PROMPT) == {"llm_status": [NOT_ANSWERING]}
    assert AWAY in caplog.text


def test_an_earlier_answer_is_told_from_one_to_this_prompt(backend: Backend) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)

    assert shown(backend, PROMPT, ours("response", "So.")) == {"llm_status": [f"{NOT_ANSWERING} {EARLIER}"]}


def test_what_a_person_wrote_is_told_to_be_kept_and_the_model_is_not_asked(backend: Backend) -> None:
    assert shown(backend, PROMPT, region("response", "Mine 💊.")) == {"llm_status": [KEPT]}
    assert shown(backend, PROMPT, region("llm_status", KEPT)) == {"response": ["answer 1"], "llm_status": []}


def test_what_was_kept_is_told_beside_what_was_filled(backend: Backend) -> None:
    backend.model.say = lambda _: '{"response": "So.", "stars": 4}'
    config = WITH_STATUS.replace("</View>", '<Rating name="stars" toName="chat" smart="false"/></View>')
    reply = backend.predict(task(), editor=[PROMPT, region("response", "Mine.")], config=config)
    stars, status = reply.json["results"][0]["result"]

    assert stars["value"] == {"rating": 4}
    assert status["value"] == {"text": [KEPT]}


def test_an_answer_without_words_is_told_in_words_for_people(backend: Backend) -> None:
    backend.model.say = lambda _: "   "
    told = shown(backend, PROMPT)["llm_status"][0]

    assert told == f"The model gave no answer that fits here. Change the prompt, or try again. {AGAIN}"


def test_redis_that_was_never_read_is_told_too(make_backend: MakeBackend) -> None:
    backend = make_backend(url="redis://127.0.0.1:1/0")

    assert "your administrator can see what" in shown(backend, PROMPT)["llm_status"][0]
    assert backend.predict(task(), editor=[PROMPT]).status_code == 503
    assert backend.predict(task(), editor=[], config=WITH_STATUS).status_code == 503


def test_a_fault_of_our_own_is_told_by_its_number(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.model.broken = RuntimeError("canary")
    told = shown(backend, PROMPT)["llm_status"][0]
    number = told.partition("under ")[2].partition(".")[0]

    assert told == f"Something went wrong; your administrator finds it in the log under {number}. {AGAIN}"
    assert f"unexpected error {number}" in caplog.text
    assert "canary" not in caplog.text


def test_a_status_that_is_never_submitted_is_always_cleared(backend: Backend) -> None:
    """Label Studio does not send it with the next question either."""
    assert shown(backend, PROMPT, config=UNSUBMITTED) == {"response": ["answer 1"], "llm_status": []}
    assert shown(backend, PROMPT, region("response", "Mine."), config=UNSUBMITTED) == {"llm_status": [KEPT]}


def test_a_config_without_the_control_gets_the_error(backend: Backend) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)

    assert backend.predict(task(), editor=[PROMPT]).status == f"503 {AWAY}"


def test_the_next_answer_clears_what_was_told(backend: Backend) -> None:
    assert shown(backend, PROMPT, region("llm_status", NOT_ANSWERING)) == {
        "response": ["answer 1"],
        "llm_status": [],
    }


def test_nothing_is_cleared_where_nothing_is_shown(backend: Backend) -> None:
    assert texts(backend.predict(task(), editor=[PROMPT], config=WITH_STATUS)) == [{"response": ["answer 1"]}]


def test_a_batch_never_stores_a_status(backend: Backend) -> None:
    backend.model.broken = ModelServerUnreachable(AWAY)

    assert backend.predict(task(), config=WITH_STATUS).status_code == 503
    assert texts(backend.predict(task(), editor=[region("llm_status", AWAY)], config=WITH_STATUS)) == [{}]


def test_the_control_has_the_name_that_the_setting_says(make_backend: MakeBackend) -> None:
    backend = make_backend(status_control="why", model=FakeModel(broken=ModelServerUnreachable(AWAY)))
    config = WITH_STATUS.replace("llm_status", "why")

    assert shown(backend, PROMPT, config=config) == {"why": [NOT_ANSWERING]}


def test_a_wrong_task_is_told_too(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    (told,) = texts(backend.predict({"id": 1, "data": {"other": 1}}, editor=[PROMPT], config=WITH_STATUS))

    assert told == {"llm_status": ["The model cannot read this task; your administrator can see why."]}
    assert "no field 'question'" in caplog.text


def test_an_answer_that_was_cut_is_marked_and_told(backend: Backend) -> None:
    backend.model.finish = "length"
    (result,) = backend.predict(task(), editor=[PROMPT], config=WITH_STATUS).json["results"]
    answer, status = result["result"]

    assert answer["meta"] == {"text": ["cut after 1024 tokens"]}
    assert status["value"]["text"] == ["The answer was too long and was cut off. Ask for a shorter one."]
    assert "score" not in result
    assert backend.store.answers.known(4, 1)[0].cut


def test_a_batch_marks_a_cut_answer_on_its_region(backend: Backend) -> None:
    backend.model.finish = "length"
    (result,) = backend.predict(task(), config=WITH_STATUS).json["results"]

    assert [item.get("meta") for item in result["result"]] == [None, {"text": ["cut after 1024 tokens"]}]


def test_a_placeholder_that_names_nothing_is_told_beside_the_answer(backend: Backend) -> None:
    editor = [region("prompt", "Summarise for 👩\u200d⚕️: {txt} {chat}")]
    (told,) = texts(backend.predict(task(), editor=editor, config=WITH_STATUS))

    assert told == {
        "response": ["answer 1"],
        "llm_status": ["The prompt has {txt} and {chat}, which name nothing in this task: did you mean {text}?"],
    }


def test_a_prompt_whose_placeholders_all_name_something_is_told_nothing_of(backend: Backend) -> None:
    prompt = 'Of {question} in {year} and {text} among {labels}, as {"topic": "..."}'
    asked = {"id": 1, "data": {"question": "Why?", "year": 1904}}
    (told,) = texts(backend.predict(asked, editor=[region("prompt", prompt)], config=WITH_STATUS))

    assert told == {"response": ["answer 1"]}


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
@pytest.mark.parametrize("editor", [True, False], ids=["a person asks", "a batch"])
def test_the_text_is_sent_once_wherever_it_is_placed(make_backend: MakeBackend, prompt: str, editor: bool) -> None:
    text = "Zorvaxil 💊 lindert «Kopfweh»; 5 mg {täglich}."
    backend = make_backend(default_prompt=prompt)
    context = {"editor": [region("prompt", prompt)]} if editor else {}
    backend.predict(task(question=text), **context)

    assert backend.model.requests[0].messages[-1].content.count(text) == 1
