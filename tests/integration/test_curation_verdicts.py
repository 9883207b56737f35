"""Reviewers' verdicts, read from the projects that review another one."""

from collections.abc import Callable
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble

from annotune.project_options import ProjectOptions
from curation.examples import ExampleSet
from trainer.context import TrainerContext
from trainer.snapshot import current_examples

PROJECT, REVIEW, SECOND, OTHER = 4, 5, 6, 7


def region(control: str, kind: str, *values: str) -> dict[str, Any]:
    return {"id": control, "from_name": control, "to_name": "question", "type": kind, "value": {kind: list(values)}}


@pytest.fixture
def context(context_with: Callable[..., TrainerContext], double: LabelStudioDouble) -> TrainerContext:
    """A project with an answer to each of three questions, and reviews of it that nobody has begun."""
    double.add_project(PROJECT, questions=3)
    for number in range(3):
        double.submit(PROJECT, number, "40 mg")
    found = context_with()
    for review in (REVIEW, SECOND):
        double.add_project(review)
        found.store.options.set(review, ProjectOptions(template="review", fills=(), reviews=PROJECT))
    found.store.options.set(OTHER, ProjectOptions(template="review", fills=(), reviews=99))
    return found


def review(
    double: LabelStudioDouble, number: int, *regions: dict[str, Any], project: int = REVIEW, of: int = PROJECT
) -> None:
    """Judge the answer to a question, in a task as a transfer makes it."""
    annotation = double.projects[PROJECT][number]["annotations"][0]["id"]
    data = {"question": "?", "answer": "40 mg", "source_project": of, "source_annotation": annotation}
    tasks = double.projects[project]
    tasks.append({"id": project * 1000 + len(tasks), "data": data, "annotations": [], "predictions": []})
    double.submit(project, len(tasks) - 1, "")
    tasks[-1]["annotations"][-1] |= {"result": list(regions), "completed_by": 2}


def outcome(context: TrainerContext) -> tuple[dict[int, str], dict[str, int]]:
    """The answer of each question that is learnt, and what is left out."""
    found: ExampleSet = current_examples(context, PROJECT)
    return {example.origin.task % 1000: example.answer for example in found.examples}, found.left_out


def test_verdicts_outrank_what_was_submitted(context: TrainerContext, double: LabelStudioDouble) -> None:
    review(double, 0, region("verdict", "choices", "Accept"))
    review(double, 1, region("verdict", "choices", "Correct"), region("correction", "text", "45 mg"))
    review(double, 2, region("verdict", "choices", "Reject"))

    assert outcome(context) == ({0: "40 mg", 1: "45 mg"}, {"rejected": 1})


def test_a_fault_of_the_question_outranks_the_verdict_beside_it(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    review(
        double, 0, region("verdict", "choices", "Accept"), region("reference_faults", "choices", "Reference is wrong")
    )

    assert outcome(context) == ({1: "40 mg", 2: "40 mg"}, {"wrong reference": 1})


def test_the_latest_of_several_verdicts_counts_also_of_two_projects(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    review(double, 0, region("verdict", "choices", "Reject"))
    review(double, 0, region("verdict", "choices", "Accept"), project=SECOND)

    assert outcome(context)[0][0] == "40 mg"


def test_what_decides_nothing_is_passed_over(context: TrainerContext, double: LabelStudioDouble) -> None:
    review(double, 0)
    review(double, 1, region("verdict", "choices", "Accept", "Reject"))
    review(double, 2, region("verdict", "choices", "Reject"), of=OTHER)
    review(double, 2, region("verdict", "choices", "Reject"))
    double.projects[REVIEW][-1]["annotations"][-1]["was_cancelled"] = True

    assert outcome(context) == ({0: "40 mg", 1: "40 mg", 2: "40 mg"}, {})


def test_a_review_that_was_deleted_is_passed_over(
    context: TrainerContext, double: LabelStudioDouble, caplog: pytest.LogCaptureFixture
) -> None:
    review(double, 0, region("verdict", "choices", "Reject"), project=SECOND)
    del double.projects[REVIEW]

    assert outcome(context)[1] == {"rejected": 1}
    assert "its review has no verdicts any more" in caplog.text


def test_options_that_cannot_be_read_cost_no_other_review(
    context: TrainerContext, double: LabelStudioDouble, redis_url: str
) -> None:
    import redis  # noqa: PLC0415 - the store writes nothing that it cannot read

    review(double, 0, region("verdict", "choices", "Reject"), project=SECOND)
    redis.Redis.from_url(redis_url).set(context.store.keys.of(REVIEW, "options"), "no JSON")

    assert outcome(context)[1] == {"rejected": 1}
