"""Which annotation counts where a task has several: a table of cases, each with the row that comes out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from annotune.answer import Answer
from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.settings import Settings
from curation.annotation import ExampleMaker
from curation.examples import TaskOutcome, task_outcomes
from curation.judgements import FAULTS, REFERENCE_FAULTS
from curation.policy import Policy
from curation.verdict import ReviewVerdict, VerdictKind

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXT = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat"/></View>"""
CHOICES = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Choices name="kind" toName="chat" choice="multiple"><Choice value="Dose"/><Choice value="Use"/></Choices></View>"""
ADA, BEN, CYD, DAN, EVA, FAY = range(1, 7)
EXPERTS = frozenset({EVA, FAY})
LONG = "Give 40 mg once a day in the morning, with food, and check the kidneys after a month."


def area(control: str, *texts: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "chat", "type": "textarea", "value": {"text": list(texts)}}


def ticks(control: str, *labels: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "chat", "type": "choices", "value": {"choices": list(labels)}}


def by(
    annotator: int | None,
    *texts: str,
    at: int = 0,
    chose: Sequence[str] = (),
    marks: str = "",
    skipped: bool = False,
    truth: bool = False,
) -> AnnotationRow:
    """An annotation of somebody, in minute `at`. Its number is its place in the case; see `numbered`."""
    result = [area("prompt", "Answer."), *([area("response", *texts)] if texts else [])]
    result += [ticks("kind", *chose)] if chose else []
    result += [ticks(marks, "Wrong")] if marks else []
    moment = START + timedelta(minutes=at)
    return AnnotationRow(
        id=0,
        result=tuple(result),
        was_cancelled=skipped,
        ground_truth=truth,
        created_at=START,
        updated_at=moment,
        completed_by=annotator,
    )


def reviewed(kind: VerdictKind, answer: str | None = None, *, of: str = "40 mg", at: int = 30) -> ReviewVerdict:
    return ReviewVerdict(kind, answer, annotator=FAY, at=START + timedelta(minutes=at), reviewed=of)


def said(text: str) -> Answer:
    at = START - timedelta(minutes=1)
    return Answer(project=1, task=1, prompt="Answer.", prompt_sha="x", text=text, model_version="m@1", at=at)


@dataclass(frozen=True)
class Case:
    """The annotations of a task, numbered from 1; the row that comes out; and why each other annotation does not.

    `row` is the number of the annotation and its answer. `model` is what the model had said. `verdicts` are the reviewers',
    by the annotation's number.
    """

    annotations: Sequence[AnnotationRow]
    row: tuple[int, str] | None
    left_out: dict[int, str] = field(default_factory=dict)
    verdicts: dict[int, ReviewVerdict] = field(default_factory=dict)
    model: str = ""
    config: str = TEXT


CASES = {
    # The latest usable one
    "one alone": Case([by(ADA, "40 mg")], (1, "40 mg")),
    "no annotation, or all deleted": Case([], None),
    "the later of two": Case([by(ADA, "40 mg", at=1), by(BEN, "50 mg", at=2)], (2, "50 mg"), {1: "older"}),
    "the earlier one, edited since": Case([by(ADA, "40 mg", at=9), by(BEN, "50 mg", at=2)], (1, "40 mg"), {2: "older"}),
    "of the same second the last one made": Case([by(ADA, "40 mg"), by(BEN, "50 mg")], (2, "50 mg"), {1: "older"}),
    "a later skip takes nothing back": Case(
        [by(ADA, "40 mg"), by(ADA, at=1, skipped=True)], (1, "40 mg"), {2: "skipped"}
    ),
    "a later empty one takes nothing back": Case([by(ADA, "40 mg"), by(BEN, at=1)], (1, "40 mg"), {2: "empty"}),
    "a blank one is empty": Case([by(ADA, " \n\t"), by(BEN, " 40 mg ")], (2, "40 mg"), {1: "empty"}),
    "a later unusable one does not cost the earlier one": Case(
        [by(ADA, "40 mg"), by(BEN, "30 mg", "50 mg", at=1)], (1, "40 mg"), {2: "uncertain"}
    ),
    "all unusable": Case(
        [by(ADA, "40 mg", "30 mg"), by(BEN, "half \ud83d of a pair", at=1)], None, {1: "uncertain", 2: "unreadable"}
    ),
    # Agreement
    "two who agree against a later third": Case(
        [by(ADA, "40 mg"), by(BEN, "40 mg", at=1), by(CYD, "50 mg", at=2)],
        (2, "40 mg"),
        {1: "agrees", 3: "outranked"},
    ),
    "two against two is a tie: the latest counts": Case(
        [by(ADA, "40 mg"), by(BEN, "40 mg"), by(CYD, "50 mg", at=2), by(DAN, "50 mg", at=1)],
        (3, "50 mg"),
        {1: "older", 2: "older", 4: "older"},
    ),
    "one who says it twice has one voice": Case(
        [by(ADA, "40 mg"), by(ADA, "40 mg", at=1), by(BEN, "50 mg", at=2)], (3, "50 mg"), {1: "older", 2: "older"}
    ),
    "those whom nobody knows have one voice": Case(
        [by(None, "40 mg"), by(None, "40 mg"), by(BEN, "50 mg", at=2)], (3, "50 mg"), {1: "older", 2: "older"}
    ),
    "blanks and a missing point are no disagreement": Case(
        [by(ADA, LONG), by(BEN, f" {LONG[:-1]}", at=1), by(CYD, "No.", at=2)],
        (2, LONG[:-1]),
        {1: "agrees", 3: "outranked"},
    ),
    "another number is one, however alike the texts": Case(
        [by(ADA, LONG), by(BEN, LONG.replace("40", "80"), at=1), by(CYD, "No.", at=2)],
        (3, "No."),
        {1: "older", 2: "older"},
    ),
    "emoji that are equal agree": Case(
        [by(ADA, "💊💊 👩🏽‍⚕️"), by(BEN, "💊💊 👩🏽‍⚕️", at=1), by(CYD, "💉", at=2)],
        (2, "💊💊 👩🏽‍⚕️"),
        {1: "agrees", 3: "outranked"},
    ),
    "choices agree only if they are equal, in any order": Case(
        [by(ADA, chose=["Dose", "Use"]), by(BEN, chose=["Use", "Dose"], at=1), by(CYD, chose=["Use"], at=2)],
        (2, '{"kind": ["Use", "Dose"]}'),
        {1: "agrees", 3: "outranked"},
        config=CHOICES,
    ),
    # Ground truth and experts
    "ground truth against two who agree": Case(
        [by(ADA, "60 mg", truth=True), by(BEN, "40 mg", at=1), by(CYD, "40 mg", at=2)],
        (1, "60 mg"),
        {2: "outranked", 3: "outranked"},
    ),
    "an expert against ground truth": Case(
        [by(EVA, "60 mg"), by(BEN, "40 mg", at=1, truth=True)], (1, "60 mg"), {2: "outranked"}
    ),
    "the later of two experts": Case(
        [by(EVA, "60 mg"), by(FAY, "70 mg", at=1), by(BEN, "60 mg", at=2)], (2, "70 mg"), {1: "older", 3: "outranked"}
    ),
    "an expert who skipped is none": Case(
        [by(EVA, at=2, skipped=True), by(BEN, "40 mg")], (2, "40 mg"), {1: "skipped"}
    ),
    "an expert's unusable one": Case([by(EVA, "60 mg", "70 mg"), by(BEN, "40 mg")], (2, "40 mg"), {1: "uncertain"}),
    # Wrong references and faults
    "a wrong reference takes the whole task": Case(
        [by(ADA, "40 mg"), by(BEN, "50 mg", at=1, marks=REFERENCE_FAULTS)],
        None,
        {1: "wrong reference", 2: "wrong reference"},
    ),
    "also without an answer, and under a later one": Case(
        [by(ADA, marks=REFERENCE_FAULTS), by(BEN, "40 mg", at=1)], None, {1: "wrong reference", 2: "wrong reference"}
    ),
    "but not from an expert": Case(
        [by(ADA, "40 mg", marks=REFERENCE_FAULTS, at=1), by(EVA, "60 mg")], (2, "60 mg"), {1: "wrong reference"}
    ),
    "and not if the same person annotated again without it": Case(
        [by(ADA, "40 mg", marks=REFERENCE_FAULTS), by(ADA, "50 mg", at=1)], (2, "50 mg"), {1: "wrong reference"}
    ),
    "an answer that was accepted with faults": Case(
        [by(ADA, "40 mg", marks=FAULTS)], None, {1: "faulty"}, model="40 mg"
    ),
    "an answer that was corrected for its faults": Case([by(ADA, "50 mg", marks=FAULTS)], (1, "50 mg"), model="40 mg"),
    "faults that one person found hold against others who accept the same": Case(
        [by(ADA, "40 mg", marks=FAULTS), by(BEN, "40 mg", at=1), by(CYD, "50 mg")],
        (3, "50 mg"),
        {1: "faulty", 2: "faulty"},
        model="40 mg",
    ),
    # Verdicts
    "a reviewer's acceptance against an expert": Case(
        [by(ADA, "40 mg"), by(EVA, "60 mg", at=1)], (1, "40 mg"), {2: "outranked"}, {1: reviewed("accept")}
    ),
    "a reviewer's correction": Case(
        [by(ADA, "40 mg"), by(BEN, "40 mg", at=1)], (1, "45 mg"), {2: "outranked"}, {1: reviewed("correct", " 45 mg ")}
    ),
    "a rejected answer never counts, whoever else gave it": Case(
        [by(ADA, "40 mg"), by(BEN, "40 mg", at=2), by(CYD, "50 mg", at=1)],
        (3, "50 mg"),
        {1: "rejected", 2: "rejected"},
        {1: reviewed("reject")},
    ),
    "a correction that was not given rejects": Case(
        [by(ADA, "40 mg")], None, {1: "rejected"}, {1: reviewed("correct")}
    ),
    "a reviewer's wrong reference takes the task from an expert too": Case(
        [by(ADA, "40 mg"), by(EVA, "60 mg")],
        None,
        {1: "wrong reference", 2: "wrong reference"},
        {1: reviewed("wrong reference")},
    ),
    "an acceptance of what was changed since is void": Case(
        [by(ADA, "41 mg", at=40), by(EVA, "60 mg")], (2, "60 mg"), {1: "outranked"}, {1: reviewed("accept")}
    ),
    "a verdict about a deleted annotation decides nothing": Case(
        [by(ADA, "40 mg")], (1, "40 mg"), verdicts={7: reviewed("reject")}
    ),
}


def outcome(case: Case) -> TaskOutcome:
    rows = [row.model_copy(update={"id": number}) for number, row in enumerate(case.annotations, 1)]
    task = TaskRow(id=1, data={"question": "Which dose?"}, annotations=tuple(rows))
    maker = ExampleMaker(1, Labeling.parse(case.config), Settings())
    policy = Policy(experts=EXPERTS, verdicts=case.verdicts)
    model = [said(case.model)] if case.model else []
    [found] = task_outcomes([task], maker, policy, lambda _: lambda _: model)
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_row_that_comes_out(case: Case) -> None:
    found = outcome(case)
    row = found.example and (found.example.origin.annotation, found.example.answer)

    assert (row, {each.annotation: each.reason for each in found.left_out}) == (case.row, case.left_out)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_annotation_is_counted_once_in_whatever_order_they_come(case: Case) -> None:
    assert len(outcome(case).left_out) + bool(case.row) == len(case.annotations)

    rows = [row.model_copy(update={"id": number}) for number, row in enumerate(case.annotations, 1)]
    maker = ExampleMaker(1, Labeling.parse(case.config), Settings())
    task = TaskRow(id=1, data={"question": "Which dose?"}, annotations=tuple(reversed(rows)))
    policy = Policy(experts=EXPERTS, verdicts=case.verdicts)
    [turned] = task_outcomes([task], maker, policy, lambda _: lambda _: [said(case.model)] if case.model else [])

    assert (turned.example, turned.left_out) == (outcome(case).example, outcome(case).left_out)


def test_a_corrected_answer_is_the_reviewers_and_dates_from_the_review() -> None:
    found = outcome(CASES["a reviewer's correction"])

    assert found.example
    assert (found.example.origin.annotator, found.updated_at) == (FAY, START + timedelta(minutes=30))


def test_a_wrong_reference_is_told_with_its_task() -> None:
    assert outcome(CASES["a wrong reference takes the whole task"]).has_wrong_reference
    assert not outcome(CASES["but not from an expert"]).has_wrong_reference
