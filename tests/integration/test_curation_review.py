"""A project of experts, filled with accepted answers, against a double of Label Studio over HTTP, on a real Redis."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble, region

from annotune.project_options import ProjectOptions
from annotune.settings import Settings
from annotune.store.store import Store
from curation.accepted import AcceptedAnswers
from curation.context import CurationContext
from curation.review import Review, fill_review
from curation.templates import find_template

ANSWERS, REVIEW = 6, 7
QUESTIONS = ["What causes gout?", "How is it treated?", "Who gets it?"]


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    """Three answered questions: one annotator on the first, two who agree on the second, two who differ on the third."""
    double.add_project(ANSWERS, questions=3, config=find_template("answers").config)
    double.add_project(REVIEW, config=find_template("review").config)
    for task, question in zip(double.projects[ANSWERS], QUESTIONS, strict=True):
        task["data"] = {"question": question, "source_text": f"About: {question}", "abstract_id": 9}
    for number, text in ((0, "Uric acid."), (1, "With rest."), (1, "With rest."), (2, "Men."), (2, "Elderly people.")):
        double.submit(ANSWERS, number, text)
    for number in (1, 2):
        double.projects[ANSWERS][number]["annotations"][1]["completed_by"] = 2
    return double


@pytest.fixture
def context(studio: LabelStudioDouble, store: Store, redis_url: str) -> Iterator[CurationContext]:
    store.options.set(ANSWERS, ProjectOptions(template="answers", fills=("response",)))
    store.options.set(REVIEW, ProjectOptions(template="review", reviews=ANSWERS))
    settings: dict[str, Any] = {
        "label_studio_url": studio.url,
        "label_studio_api_key": "legacy",
        "redis_url": redis_url,
    }
    with closing(CurationContext(Settings(**settings))) as made:
        yield made


@pytest.fixture
def fill(context: CurationContext) -> Callable[[], Review]:
    return lambda: fill_review(context, REVIEW, ANSWERS)


def decide(studio: LabelStudioDouble, number: int, verdict: str, *others: dict[str, Any]) -> None:
    """What an expert submits for a task of the review."""
    studio.submit(REVIEW, number, "")
    chosen = {"from_name": "verdict", "to_name": "question", "type": "choices", "value": {"choices": [verdict]}}
    studio.projects[REVIEW][number]["annotations"][-1]["result"] = [chosen, *others]


def counting(context: CurationContext) -> tuple[dict[int, str], dict[str, int]]:
    """The answers that count, by the task's number, and how many annotations are left out, by reason."""
    answers = AcceptedAnswers.of(context, ANSWERS)
    found = {each.task.id - 6000: each.answer for each in answers.read(context)}
    return found, answers.counts()


def test_what_annotators_differ_on_comes_first(fill, studio) -> None:
    done = fill()

    shown = [(task["data"]["question"], task["data"]["disagreement"]) for task in studio.projects[REVIEW]]
    assert shown == [
        ("Who gets it?", "1 of 2 annotators differs"),
        ("What causes gout?", "1 annotator"),
        ("How is it treated?", "2 annotators agree"),
    ]
    assert studio.projects[REVIEW][1]["data"] == {
        "question": "What causes gout?",
        "answer": "Uric acid.",
        "source_text": "About: What causes gout?",
        "abstract_id": 9,
        "disagreement": "1 annotator",
        "source_project": ANSWERS,
        "source_task": 6000,
        "source_annotation": 1,
    }
    assert len(done.moved) == 3


def test_filled_again_nothing_changes_and_only_new_answers_are_added(fill, studio) -> None:
    fill()
    again = fill()
    assert (again.moved, again.updated, again.there, again.concerned) == ([], [], 3, [])

    studio.projects[ANSWERS].append(
        {"id": 6003, "data": {"question": "Why?", "source_text": ""}, "annotations": [], "predictions": []}
    )
    studio.submit(ANSWERS, 3, "Because.")

    assert (len(fill().moved), studio.projects[REVIEW][3]["data"]["answer"]) == (1, "Because.")


def test_an_answer_that_changed_is_renewed_until_there_is_a_verdict(fill, studio) -> None:
    fill()
    studio.projects[ANSWERS][0]["annotations"][0]["result"] = [region("response", "Too much uric acid.")]
    assert fill().updated == [studio.projects[REVIEW][1]["id"]]
    assert studio.projects[REVIEW][1]["data"]["answer"] == "Too much uric acid."

    decide(studio, 1, "Accept")
    studio.projects[ANSWERS][0]["annotations"][0]["result"] = [region("response", "Sugar.")]
    done = fill()

    assert [(each.task, each.concern, each.now) for each in done.concerned] == [
        (studio.projects[REVIEW][1]["id"], "changed", "Sugar.")
    ]
    assert (done.updated, studio.projects[REVIEW][1]["data"]["answer"]) == ([], "Too much uric acid.")


def test_the_whole_round_of_verdicts(fill, studio, context) -> None:
    fill()
    faults = {"from_name": "reference_faults", "to_name": "question", "type": "choices"}
    decide(studio, 0, "Correct", region("correction", "Mostly men over forty."))
    decide(studio, 1, "Reject")
    decide(studio, 2, "Accept", faults | {"value": {"choices": ["Reference is wrong"]}})

    found, left_out = counting(context)

    assert found == {2: "Mostly men over forty."}
    assert Counter(left_out)["rejected"] == 1
    assert Counter(left_out)["wrong reference"] >= 1
    again = fill()
    assert (again.moved, again.updated, again.concerned) == ([], [], []), "a verdict is no change of what it is about"
