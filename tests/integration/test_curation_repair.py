"""`annotune predictions repair` against a double of Label Studio over HTTP."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from click.testing import CliRunner, Result
from label_studio_double import LabelStudioDouble

from commands.main import annotune

CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Labels name="label" toName="chat"><Label value="Drug"/></Labels></View>"""
TEXT = "😀😀 Take Zorvaxil."
WRONG, RIGHT = ({"start": at, "end": at + 8, "text": "Zorvaxil", "labels": ["Drug"]} for at in (10, 8))
Repair = Callable[..., Result]


def stored(id_: int, value: dict[str, Any], version: str = "small@0123abcd") -> dict[str, Any]:
    span = {"id": "s", "from_name": "label", "to_name": "chat", "type": "labels", "value": value}
    return {"id": id_, "result": [span], "model_version": version, "score": 0.7}


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=4, config=CONFIG)
    for task, predictions in zip(
        double.projects[4],
        ([stored(1, WRONG)], [stored(2, RIGHT)], [stored(3, WRONG, version="other")], [stored(4, WRONG)]),
        strict=True,
    ):
        task |= {"data": {"question": TEXT}, "predictions": predictions}
    double.submit(4, 3, "as it was")
    double.projects[4][3]["annotations"][0]["result"] = deepcopy(stored(0, WRONG)["result"])
    return double


@pytest.fixture
def repair(studio: LabelStudioDouble, redis_url: str) -> Repair:
    """Runs `annotune predictions repair 4`."""
    environment = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": "legacy", "REDIS_URL": redis_url}

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(annotune, ["predictions", "repair", "4", *arguments], env=environment)

    return invoke


def values(studio: LabelStudioDouble) -> dict[int, dict[str, Any]]:
    return {found["id"]: found["result"][0]["value"] for task in studio.predictions(4) for found in task}


def test_ours_are_put_right_and_again_finds_nothing(repair: Repair, studio: LabelStudioDouble) -> None:
    result = repair()

    assert result.exit_code == 0, result.output
    assert "project 4: tasks read: 4; predictions repaired: 2 (1, 4)\n" in result.stdout
    assert "predictions of other tools with such spans, which stay: 1 (3)" in result.stderr
    assert "task 4003: annotation 1 has such spans" in result.stdout
    assert values(studio) == {1: RIGHT, 2: RIGHT, 3: WRONG, 4: RIGHT}
    [kept] = studio.predictions(4)[0]
    assert (kept["score"], kept["model_version"]) == (0.7, "small@0123abcd")
    assert studio.projects[4][3]["annotations"][0]["result"][0]["value"] == WRONG

    assert "tasks read: 4; predictions repaired: 0\n" in repair().stdout


def test_a_dry_run_tells_and_changes_nothing(repair: Repair, studio: LabelStudioDouble) -> None:
    before = deepcopy(studio.predictions(4))

    assert "predictions that would be repaired: 2 (1, 4)" in repair("--dry-run").stdout
    assert studio.predictions(4) == before


def test_one_that_is_refused_costs_no_other_its_repair(repair: Repair, studio: LabelStudioDouble) -> None:
    studio.rewrite_refusal[1] = 400, {"detail": "no"}
    result = repair()

    assert result.exit_code == 1
    assert "predictions not repaired: 1 (1): Label Studio at" in result.stderr
    assert values(studio)[4] == RIGHT

    studio.rewrite_refusal[1] = 404, {"detail": "No Prediction matches the given query."}
    assert repair().exit_code == 0


def test_a_project_that_predicts_what_is_listed_is_refused(repair: Repair, studio: LabelStudioDouble) -> None:
    studio.evaluating.add(4)

    assert "evaluate_predictions_automatically" in repair().stderr
    assert values(studio)[1] == WRONG
