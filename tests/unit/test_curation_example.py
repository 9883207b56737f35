"""Examples and answers as JSON."""

from datetime import UTC, datetime

import pytest

from annotune.answer import Answer
from annotune.chat import Message
from annotune.prompt import ProjectPrompt
from curation.example import Example, Origin

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXTS = ["plain", "é “quoted” \U0001f642", 'a "b"\n\\c\t', "{text} {{", "\0 \x7f", ""]


def example(text: str) -> Example:
    origin = Origin(
        project=1, task=2, annotation=3, annotator=None, prompt_sha="ab", kind="corrected", said=text or None
    )
    return Example(messages=(Message("system", text), Message("user", text)), answer=text, origin=origin)


@pytest.mark.parametrize("text", TEXTS)
def test_an_example_is_json_again(text: str) -> None:
    assert Example.model_validate_json(example(text).model_dump_json()) == example(text)


@pytest.mark.parametrize("text", TEXTS)
def test_an_example_is_plain_data_again(text: str) -> None:
    assert Example.model_validate(example(text).model_dump(mode="json")) == example(text)


def test_messages_are_read_as_messages() -> None:
    read = Example.model_validate_json(example("a").model_dump_json())

    assert read.messages == (Message("system", "a"), Message("user", "a"))


@pytest.mark.parametrize("text", TEXTS)
def test_an_answer_is_json_again(text: str) -> None:
    answer = Answer(project=1, task=2, prompt=text, prompt_sha="ab", text=text, model_version="m@ab", at=NOON)

    assert Answer.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize("text", TEXTS)
def test_a_projects_prompt_is_json_again(text: str) -> None:
    prompt = ProjectPrompt(text=text, source="annotation 12", at=NOON)

    assert ProjectPrompt.model_validate_json(prompt.model_dump_json()) == prompt


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        Origin.model_validate(example("a").origin.model_dump() | {"kind": "guessed"})
