"""One odd task of a batch, or one odd answer, fails alone."""

import pytest
from fake_model import SIMPLE, FakeModel, MakeBackend, region, task, texts

from annotune.chat import ChatRequest

HYPERTEXT = SIMPLE.replace("<Text ", "<HyperText ")
NUMBERS = """<View><Text name="chat" value="$question"/><Number name="dose" toName="chat"/>
<Rating name="sure" toName="chat"/></View>"""
STATUS = SIMPLE.replace("</View>", '<TextArea name="llm_status" toName="chat" smart="false"/></View>')
MANY_DIGITS = "1" + "0" * 400


def odd(answer: str, usual: str) -> FakeModel:
    """Answers `answer` to questions about something odd, and `usual` to all others."""
    return FakeModel(say=lambda asked: answer if any("odd" in said.content for said in asked.messages) else usual)


def test_markup_that_no_browser_minds_is_read(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Answer")
    reply = backend.predict(task(1), task(2, "<p>x</p><![foo[bar]]>y"), config=HYPERTEXT)

    assert [said["prompt"] for said in texts(reply)] == [["Answer"], ["Answer"]]
    assert backend.model.requests[-1].messages[-1].content in {"Answer\n\nx\ny", "Answer\n\nWhy?"}


def test_half_a_letter_costs_no_task_its_answer(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Answer")
    texts(backend.predict(task(1), task(2, "half \ud83d, whole \U0001f48a, written \\ud83d")))

    asked = {said.messages[-1].content for said in backend.model.requests}
    assert asked == {"Answer\n\nWhy?", "Answer\n\nhalf \ufffd, whole \U0001f48a, written \\ud83d"}


def test_a_prompt_with_half_a_letter_is_asked(make_backend: MakeBackend) -> None:
    backend = make_backend()
    texts(backend.predict(task(1), editor=[region("prompt", "half \udc8a")]))

    assert backend.model.requests[0].messages[-1].content.startswith("half \ufffd")


@pytest.mark.parametrize("field", ["dose", "sure"])
def test_a_number_that_no_double_holds_is_refused_and_the_others_are_kept(
    make_backend: MakeBackend, field: str
) -> None:
    usual = {"dose": "2", "sure": "3"}
    answer, others = (
        "".join(["{", ", ".join(f'"{name}": {number}' for name, number in fields.items()), "}"])
        for fields in (usual | {field: MANY_DIGITS}, usual)
    )
    backend = make_backend(model=odd(answer, others), default_prompt="Answer")
    first, second, third = backend.predict(task(1), task(2, "odd"), task(3), config=NUMBERS).json["results"]

    assert "result" in first
    assert f'"{field}" must be' in second["error"]
    assert MANY_DIGITS not in second["error"]
    assert "result" in third


def broken(asked: ChatRequest) -> str:
    if "odd" in asked.messages[-1].content:
        raise AssertionError("a fault of our own")
    return "fine"


def test_a_fault_of_our_own_costs_one_prediction(make_backend: MakeBackend, caplog: pytest.LogCaptureFixture) -> None:
    backend = make_backend(model=FakeModel(say=broken), default_prompt="Answer")
    reply = backend.predict(task(1), task(2, "odd"), task(3))
    first, second, third = reply.json["results"]

    assert reply.status_code == 200
    assert [[answer.text for answer in backend.store.answers.known(4, number)] for number in (1, 2, 3)] == [
        ["fine"],
        [],
        ["fine"],
    ]
    assert "result" in first
    assert "result" in third
    number = second["error"].rpartition(" ")[2]
    assert f"unexpected error {number}" in caplog.text
    assert "a fault of our own" not in reply.text


def test_a_fault_of_our_own_is_shown_where_the_config_has_a_status(make_backend: MakeBackend) -> None:
    backend = make_backend(model=FakeModel(say=broken))
    [said] = texts(backend.predict(task(1, "odd"), editor=[region("prompt", "Explain")], config=STATUS))

    assert "Something went wrong" in said["llm_status"][0]


def test_a_fault_of_our_own_is_500_where_nothing_was_answered(make_backend: MakeBackend) -> None:
    backend = make_backend(model=FakeModel(say=broken), default_prompt="Answer")

    assert backend.predict(task(1, "odd")).status_code == 500
    assert backend.predict(task(1, "odd"), editor=[region("prompt", "Explain")]).status_code == 500
