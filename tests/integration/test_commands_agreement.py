"""`annotune project agreement` on a stand-in for Label Studio."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from label_studio_double import LabelStudioDouble

from commands.main import annotune

PROJECT, ADMIN, ADA = 4, 1, 2
Annotune = Callable[..., Result]


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    """A project with two questions, of which two people answered one alike and one not."""
    double.add_project(PROJECT, questions=2)
    for annotator, answers in ((ADMIN, ("40 mg", "10 mg")), (ADA, ("40 mg", "50 mg"))):
        for number, text in enumerate(answers):
            double.submit(PROJECT, number, text)
            double.projects[PROJECT][number]["annotations"][-1]["completed_by"] = annotator
    return double


@pytest.fixture
def run(redis_url: str, double: LabelStudioDouble) -> Annotune:
    environment = {"REDIS_URL": redis_url, "LABEL_STUDIO_URL": double.url, "LABEL_STUDIO_API_KEY": "legacy"}

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(annotune, ["project", "agreement", *arguments], env=environment)

    return invoke


def test_annotators_are_numbers(run: Annotune) -> None:
    found = run("4", "--json")

    assert found.exit_code == 0, found.output
    common = {"project": 4, "control": "response", "measure": "similarity", "tasks": 2, "value": 0.9, "reason": ""}
    assert json.loads(found.stdout) == [
        common | {"first": None, "second": None},
        common | {"first": ADMIN, "second": ADA},
    ]
    assert "Ada" not in run("4").stdout


def test_names_are_shown_on_request(run: Annotune) -> None:
    rows = list(csv.DictReader(io.StringIO(run("4", "--csv", "--names").stdout)))

    assert [(row["first"], row["second"], row["value"]) for row in rows] == [
        ("", "", "0.9"),
        ("admin@localhost.com", "Ada Byron", "0.9"),
    ]


def test_what_cannot_be_measured_is_told_in_words(run: Annotune, double: LabelStudioDouble) -> None:
    for task in double.projects[PROJECT]:
        task["annotations"] = task["annotations"][:1]

    assert "only one person has annotated" in run("4").stdout


def test_a_project_that_is_not_there_is_told(run: Annotune) -> None:
    found = run("9")

    assert found.exit_code == 1
    assert "no project 9" in found.output
