"""How near an answer is to what a person submitted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from curation.compare import agreement

AT = datetime(2026, 11, 22, tzinfo=UTC)
TEXT = Labeling.parse('<View><Text name="chat" value="$text"/><TextArea name="answer" toName="chat"/></View>')
CHOICE = Labeling.parse(
    '<View><Text name="chat" value="$text"/><Choices name="mood" toName="chat"><Choice value="good"/>'
    '<Choice value="bad"/></Choices></View>'
)


def region(control: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": control, "from_name": control, "to_name": "chat", "type": kind, "value": value}


def text(words: str) -> dict[str, Any]:
    return region("answer", "textarea", {"text": [words]})


def mood(choice: str) -> dict[str, Any]:
    return region("mood", "choices", {"choices": [choice]})


def task(*results: dict[str, Any], skipped: int = -1) -> TaskRow:
    """A task whose annotations, oldest first, hold these regions; one of them may be a skip."""
    annotations = tuple(
        AnnotationRow(
            id=number,
            result=(result,),
            was_cancelled=number == skipped,
            created_at=AT,
            updated_at=AT + timedelta(minutes=number),
        )
        for number, result in enumerate(results)
    )
    return TaskRow(id=1, data={"text": "Take aspirin."}, annotations=annotations)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Forty mg", 1.0),
        ("mg: forty!", 1.0),
        ("forty mg of it", pytest.approx(2 / 3)),
        ("nothing", 0.0),
        ("", 0.0),
    ],
)
def test_a_free_text_is_compared_by_its_words(answer: str, expected: float) -> None:
    assert agreement(TEXT, answer, task(text("forty mg"))) == expected


@pytest.mark.parametrize(("answer", "expected"), [('{"mood": "good"}', 1.0), ('{"mood": "bad"}', 0.0)])
def test_anything_else_is_equal_or_not(answer: str, expected: float) -> None:
    assert agreement(CHOICE, answer, task(mood("good"))) == expected


def test_the_newest_submitted_annotation_counts() -> None:
    assert agreement(TEXT, "new", task(text("old"), text("new"), text("skipped"), skipped=2)) == 1.0


@pytest.mark.parametrize("unanswered", [task(), task(text("skipped"), skipped=0)])
def test_without_a_submitted_answer_there_is_nothing_to_compare_with(unanswered: TaskRow) -> None:
    assert agreement(TEXT, "anything", unanswered) is None
