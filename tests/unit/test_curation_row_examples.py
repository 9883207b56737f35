"""Rows of a dataset as examples: what the project would be asked, and what becomes none."""

import pytest

from annotune.errors import RequestInvalid
from annotune.labeling.config import Labeling
from annotune.prompt import Prompt
from annotune.question import Question
from annotune.split import text_sha
from curation.row_examples import RowExample, RowMaker

CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" editable="true" smart="false"/></View>"""
CHOICES = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Choices name="topic" toName="chat"><Choice value="a"/><Choice value="b"/></Choices></View>"""
LABELING = Labeling.parse(CONFIG)
MAKER = RowMaker.of(4, LABELING)
PROMPT = Prompt("Answer for {country}.", "{prompt}\n\n{text}", "You are careful.")


def make(**row: object) -> RowExample | str:
    return MAKER.ask(row, PROMPT, 7, "facts.jsonl")


def test_a_row_is_asked_as_the_served_model_is_asked() -> None:
    made = make(question="What is  Zorvaxil?", answer=" A drug. ", country="Utopia")

    assert isinstance(made, RowExample)
    served = Question(LABELING, PROMPT, {"question": "What is  Zorvaxil?", "country": "Utopia"})
    assert made.example.messages == served.messages
    assert made.example.answer == "A drug."
    assert made.example.question == "What is  Zorvaxil?"
    assert made.sha == made.group == text_sha("what is zorvaxil?")
    origin = made.example.origin
    assert (origin.kind, origin.dataset, origin.annotation) == ("dataset", "facts.jsonl", -7)
    assert origin.prompt_sha == PROMPT.sha


def test_the_answer_never_reaches_the_prompt() -> None:
    made = MAKER.ask({"question": "Why?", "answer": "SECRET"}, Prompt("Say {answer}.", "{prompt} {text}"), 1, "x")

    assert isinstance(made, RowExample)
    assert "SECRET" not in made.example.messages[-1].content


def test_rows_about_one_source_text_are_a_group() -> None:
    first, second = (make(question=text, answer="b", source_text="A source.") for text in ("One?", "Two?"))

    assert isinstance(first, RowExample)
    assert isinstance(second, RowExample)
    assert first.group == second.group != first.sha


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "Why?"}, "empty"),
        ({"question": "Why?", "answer": "  "}, "empty"),
        ({"question": " ", "answer": "b"}, "empty"),
        ({"question": 5, "answer": "b"}, "empty"),
        ({"question": "Why?", "answer": ["a", "b"]}, "empty"),
        ({"question": "Why?", "answer": "\ud83d"}, "unreadable"),
        ({"question": "Why\0?", "answer": "b"}, "unreadable"),
        ({"question": "Why?", "answer": "b", "country": "x" * 9_000_000}, "too long"),
    ],
)
def test_a_row_that_no_training_can_use_is_none(row: dict[str, object], reason: str) -> None:
    assert make(**row) == reason


def test_a_project_whose_answers_are_no_free_text_cannot_train_on_rows() -> None:
    with pytest.raises(RequestInvalid, match=r"project 4 cannot train on a dataset: .* fills 'topic' about 'chat'"):
        RowMaker.of(4, Labeling.parse(CHOICES))
