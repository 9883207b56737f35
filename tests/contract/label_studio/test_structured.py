"""Answers of several controls: asked by a schema, checked, asked again once, and kept off edited controls."""

import json
from collections.abc import Iterator

import pytest
from fake_model import Backend, FakeModel, MakeBackend, ours, region, task

from annotune.chat import ChatRequest
from annotune.prompt import Prompt

CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" {smart}/>
<Choices name="verdict" toName="chat" {smart}><Choice value="Good"/><Choice value="Bad"/></Choices>
<Rating name="stars" toName="chat" {smart}/></View>"""
OURS, SMART = CONFIG.replace("{smart}", 'smart="false"'), CONFIG.replace("{smart}", "")
ANSWER = {"response": "So.", "verdict": "Good", "stars": 4}
PROMPT = region("prompt", "Judge")


def chosen(value: str, **more: str) -> dict:
    return {"from_name": "verdict", "to_name": "chat", "type": "choices", "value": {"choices": [value]}, **more}


def stars(number: int, **more: str) -> dict:
    return {"from_name": "stars", "to_name": "chat", "type": "rating", "value": {"rating": number}, **more}


def says(*replies: object) -> FakeModel:
    texts: Iterator[str] = iter([reply if isinstance(reply, str) else json.dumps(reply) for reply in replies])
    return FakeModel(say=lambda _: next(texts))


def values(backend: Backend, *editor: dict, config: str = OURS) -> dict[str, object]:
    """The values for each control after a person's request."""
    reply = backend.predict(task(), editor=list(editor), config=config)
    assert reply.status_code == 200, reply.text
    return {item["from_name"]: item["value"] for item in reply.json["results"][0]["result"]}


FILLED = {"response": {"text": ["So."]}, "verdict": {"choices": ["Good"]}, "stars": {"rating": 4}}


def test_all_controls_are_filled_by_one_call_with_a_schema(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER))

    assert values(backend, PROMPT) == FILLED
    (request,) = backend.model.requests
    assert list(request.schema["properties"]) == ["response", "verdict", "stars"]
    assert request.schema["properties"]["verdict"] == {"type": "string", "enum": ["Good", "Bad"]}
    assert '"verdict": one of "Good", "Bad"' in request.messages[-1].content


def test_a_batch_fills_all_controls_beside_the_prompt(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Judge", model=says(ANSWER))
    (result,) = backend.predict(task(), config=OURS).json["results"]

    assert [item["from_name"] for item in result["result"]] == ["prompt", "response", "verdict", "stars"]
    assert json.loads(backend.store.answers.known(4, 1)[0].text) == ANSWER


def test_an_answer_that_does_not_fit_is_asked_for_once_more_with_the_error(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER | {"verdict": "I cannot tell"}, ANSWER))

    assert values(backend, PROMPT) == FILLED
    first, again = backend.model.requests
    assert again.messages[: len(first.messages)] == first.messages
    assert again.messages[-2].content == json.dumps(ANSWER | {"verdict": "I cannot tell"})
    assert '"verdict" must be one of "Good", "Bad", not \'I cannot tell\'' in again.messages[-1].content


def test_twice_wrong_is_refused_and_never_guessed(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says("I cannot answer that", ANSWER | {"verdict": "Not Good"}))
    reply = backend.predict(task(), editor=[PROMPT], config=OURS)

    assert reply.status_code == 503
    assert "two answers do not fit" in reply.json["error"]
    assert backend.store.answers.known(4, 1) == []


def test_neither_what_a_model_said_nor_a_task_s_text_is_logged_or_told(
    make_backend: MakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    canary = {"response": "canary-1", "verdict": "canary-2", "stars": "canary-3"}
    backend = make_backend(model=says(canary, json.dumps(canary)))
    reply = backend.predict(task(question="canary-4"), editor=[region("prompt", "canary-5")], config=OURS)

    assert reply.status_code == 503
    assert "canary" not in caplog.text
    assert "canary" not in reply.text


def test_spans_that_are_refused_quote_nothing(make_backend: MakeBackend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    config = """<View><Labels name="label" toName="chat"><Label value="Drug"/></Labels><Text name="chat" value="$question"/>
    <TextArea name="prompt" toName="chat"/></View>"""
    twice, absent = ({"label": [{"quote": quote, "label": "Drug"}]} for quote in ("canary", "canary-1"))
    backend = make_backend(model=says(twice, absent, absent, twice))
    replies = [
        backend.predict(task(question="canary canary"), editor=[region("prompt", prompt)], config=config)
        for prompt in ("One", "Two")
    ]

    assert ["once" in reply.text or "not in the text" in reply.text for reply in replies] == [True, True]
    assert "canary" not in caplog.text + replies[0].text + replies[1].text


def test_a_structured_answer_that_was_cut_is_not_asked_again(make_backend: MakeBackend) -> None:
    backend = make_backend(model=FakeModel(say=lambda _: '{"response": "So', finish="length"))
    reply = backend.predict(task(), editor=[PROMPT], config=OURS)

    assert "cut after" in reply.status
    assert len(backend.model.requests) == 1


def test_what_a_person_set_before_asking_stays(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER))
    brought = values(backend, PROMPT, stars(2))

    assert set(brought) == {"response", "verdict"}


UNTOUCHED, CHANGED = {"origin": "prediction"}, {"origin": "prediction-changed"}


def test_asking_again_replaces_what_was_ours_and_keeps_what_was_changed(make_backend: MakeBackend) -> None:
    second = {"response": "Other.", "verdict": "Good", "stars": 5}
    backend = make_backend(model=says(ANSWER, second))
    values(backend, PROMPT)
    shown = [ours("response", "So."), chosen("Bad", **CHANGED), stars(4, **UNTOUCHED)]
    brought = values(backend, region("prompt", "Again"), *shown)

    assert brought == {"response": {"text": ["Other."]}, "stars": {"rating": 5}}


def test_a_choice_that_was_set_back_to_an_earlier_answer_stays(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER, ANSWER | {"verdict": "Bad"}, ANSWER | {"verdict": "Bad"}, ANSWER))
    values(backend, PROMPT)
    values(backend, region("prompt", "Again"), ours("response", "So."), chosen("Good", **UNTOUCHED))
    shown = [ours("response", "So."), chosen("Good", **CHANGED), stars(4, **UNTOUCHED)]

    for prompt in ("A third", "A fourth"):  # held back once, it is not ours the next time either
        assert set(values(backend, region("prompt", prompt), *shown)) == {"response", "stars"}


def test_a_choice_that_another_annotator_was_given_is_still_the_persons(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER | {"verdict": "Bad"}, ANSWER))
    values(backend, region("prompt", "The other one's"))

    assert set(values(backend, PROMPT, chosen("Bad"))) == {"response", "stars"}


def test_what_cannot_be_read_is_the_persons_too(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER, ANSWER))

    assert set(values(backend, PROMPT, chosen("A label of last year"))) == {"response", "stars"}
    cleared = [chosen("Bad") | {"value": {"choices": []}}, stars(0), region("response", "")]
    assert set(values(backend, PROMPT, *cleared)) == {"response", "stars", "verdict"}


def test_a_prediction_that_nobody_touched_is_replaced(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER))
    stored = [{"id": 1, "result": [PROMPT, stars(1)], "model_version": "base@1"}]
    reply = backend.predict(task(predictions=stored), editor=[PROMPT, stars(1, **UNTOUCHED)], config=OURS)

    assert {item["from_name"] for item in reply.json["results"][0]["result"]} == {"response", "verdict", "stars"}


def test_where_a_person_set_all_the_model_is_not_asked(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER))

    assert values(backend, PROMPT, region("response", "Mine."), chosen("Bad"), stars(2)) == {}
    assert backend.model.requests == []


def test_an_answer_that_chooses_none_of_several_takes_the_earlier_ones_back(make_backend: MakeBackend) -> None:
    config = OURS.replace('<Choices name="verdict"', '<Choices choice="multiple" name="verdict"')
    none = ANSWER | {"verdict": []}
    backend = make_backend(model=says(none, none, none))
    shown = chosen("Good", **UNTOUCHED)

    assert values(backend, PROMPT, shown, config=config)["verdict"] == {"choices": []}
    assert "verdict" not in values(backend, PROMPT, config=config)
    assert "verdict" not in values(backend, PROMPT, shown | CHANGED, config=config)


def test_what_a_persons_choice_hides_is_not_filled(make_backend: MakeBackend) -> None:
    config = OURS.replace(
        '<Rating name="stars"',
        '<Rating name="stars" visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="Good"',
    )
    backend = make_backend(model=says(ANSWER, ANSWER, ANSWER))

    assert set(values(backend, PROMPT, chosen("Bad"), config=config)) == {"response"}
    assert set(values(backend, PROMPT, chosen("Good"), config=config)) == {"response", "stars"}
    assert values(backend, PROMPT, chosen("Bad"), region("response", "Mine."), config=config) == {}
    assert len(backend.model.requests) == 2


def test_a_change_of_one_control_where_editing_asks_again_changes_nothing(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER, ANSWER, ANSWER))
    values(backend, PROMPT, config=SMART)
    shown = [ours("response", "So."), chosen("Good", **UNTOUCHED)]

    assert values(backend, PROMPT, *shown, stars(1, **CHANGED), config=SMART) == {}
    assert len(backend.model.requests) == 1
    assert values(backend, PROMPT, *shown, stars(4, **UNTOUCHED), config=SMART) == FILLED
    other = region("prompt", "Other")
    assert set(values(backend, other, *shown, stars(1, **CHANGED), config=SMART)) == {"response", "verdict"}


def test_a_change_of_a_prediction_where_editing_asks_again_changes_nothing(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER))
    stored = [{"id": 1, "result": [PROMPT, stars(4)], "model_version": "base@1"}]
    editor = [PROMPT, ours("response", "So."), stars(1, **CHANGED)]
    reply = backend.predict(task(predictions=stored), editor=editor, config=SMART)

    assert reply.json["results"][0]["result"] == []


def test_the_labels_stand_in_a_prompt_that_asks_for_them(make_backend: MakeBackend) -> None:
    backend = make_backend(model=says(ANSWER), prompt_template="{prompt}")
    values(backend, region("prompt", 'One of {labels}, as {"json"}: {question}'))

    assert backend.model.requests[0].messages[-1].content.startswith('One of Good, Bad, as {"json"}: Why?')


def test_a_dialogue_is_given_as_turns_with_their_roles(backend: Backend) -> None:
    config = """<View><Paragraphs name="chat" value="$talk" nameKey="role" textKey="content"/>
    <TextArea name="prompt" toName="chat"/><TextArea name="response" toName="chat" smart="false"/></View>"""
    talk = [{"role": "user", "content": "My head aches."}, {"role": "assistant", "content": "Since when?"}]
    backend.predict({"id": 1, "data": {"talk": [*talk, {"role": "Human", "content": "Monday."}]}}, config=config)
    (request,) = backend.model.requests

    assert [(message.role, message.content) for message in request.messages] == [
        ("user", "My head aches."),
        ("assistant", "Since when?"),
        ("user", "Monday.\n\nAnswer briefly"),
    ]


def test_the_memory_answers_a_batch_twice_and_a_person_never(backend: Backend) -> None:
    config = OURS.replace("Choices", "View").replace('<Rating name="stars" toName="chat" smart="false"/>', "")
    for _ in range(2):
        backend.predict(task(), config=config)
    assert len(backend.model.requests) == 1

    for _ in range(2):
        backend.predict(task(), editor=[region("prompt", "Answer briefly")], config=config)
    assert len(backend.model.requests) == 3


def test_another_prompt_is_not_answered_from_memory(make_backend: MakeBackend) -> None:
    seen: list[ChatRequest] = []
    backend = make_backend(default_prompt="One", model=FakeModel(say=lambda request: seen.append(request) or "x"))
    backend.predict(task())
    backend.predict(task(question="Another?"))

    assert len(seen) == 2
    assert Prompt("One").sha != Prompt("Two").sha


def test_nested_choices_that_a_person_ticked_stay(make_backend: MakeBackend) -> None:
    config = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
    <Choices name="kind" toName="chat" smart="false" choice="multiple" allowNested="true"><Choice value="A">
    <Choice value="A1"/><Choice value="A2"/></Choice><Choice value="B"/></Choices>
    <Rating name="stars" toName="chat"/></View>"""
    ticked = [["A"], ["A", "A1"], ["A", "A2"]]  # as the page (1.23.2) stores the tick at A
    kind = {"from_name": "kind", "to_name": "chat", "type": "choices", "value": {"choices": ticked}}
    backend = make_backend(model=says({"kind": ["B"], "stars": 4}))

    assert values(backend, PROMPT, kind, config=config) == {"stars": {"rating": 4}}


def test_a_pairwise_comes_behind_the_status_since_the_page_drops_what_follows_it(make_backend: MakeBackend) -> None:
    config = """<View><Text name="chat" value="$question"/><Text name="other" value="$question"/>
    <Pairwise name="better" toName="chat,other"/><TextArea name="prompt" toName="chat"/>
    <TextArea name="why" toName="chat" smart="false"/><TextArea name="llm_status" toName="chat"/></View>"""
    backend = make_backend(model=says({"better": "left", "why": "So."}))
    brought = values(backend, PROMPT, region("llm_status", "Nothing came."), config=config)

    assert list(brought) == ["why", "llm_status", "better"]
