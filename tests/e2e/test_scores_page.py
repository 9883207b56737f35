"""The Data Manager: scores that are shown and sorted by, and what it says of a batch that nothing came of."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from integration.doubles import FakeOllama, serving
from label_studio_sdk import LabelStudio as Client
from page import LabelingPage
from playwright.sync_api import expect
from services import Eventually

from annotune.label_studio.client import LabelStudioClient
from curation.projects import create_project
from curation.templates import find_template
from embedded.label_studio import LabelStudio

TEXTS = [
    "😀 The nurse was kind 👩‍⚕️",
    "Zorvaxil 40 mg, twice a day: nausea",
    "No words",
    "Fièvre depuis 3 jours ☹️",
    "Fine.",
]
SURE = {"small": [0.9, 0.45, 0.7, 0.55, 0.98], "large": [0.5, 0.95, 0.6, 0.85, 0.4]}


class Scored(FakeOllama):
    """Labels each text Positive, as surely as `SURE` says."""

    def __init__(self) -> None:
        super().__init__()
        self.models = {"small": "", "large": ""}

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, reply = super()._chat(body)
        asked = body["messages"][-1]["content"]
        known = [sure for text, sure in zip(TEXTS, SURE[body["model"]], strict=True) if text in asked]
        if not known:  # connect asks something of its own
            return status, reply
        [sure] = known
        likely = [
            {"token": "Positive", "logprob": math.log(sure)},
            {"token": "Negative", "logprob": math.log(1 - sure)},
        ]
        tokens = [{"token": '{"label": "', "logprob": 0.0, "top_logprobs": []}]
        tokens += [{**likely[0], "top_logprobs": likely}, {"token": '"}', "logprob": 0.0, "top_logprobs": []}]
        message = {"role": "assistant", "content": json.dumps({"label": "Positive"})}
        return status, reply | {"message": message, "logprobs": tokens}


class DataManager:
    """A project's list of tasks, with the column Prediction score."""

    def __init__(self, tab: LabelingPage, label_studio: LabelStudio, project: int) -> None:
        self.page = tab.page
        self._url = f"{label_studio.url}/projects/{project}/data"

    def open(self) -> None:
        self.page.goto(self._url)
        expect(self.page.locator(".lsf-table-row")).to_have_count(len(TEXTS))

    def show_scores(self) -> None:
        self.page.get_by_role("button", name="Columns").click()
        self.page.get_by_text("Prediction score", exact=True).first.click()
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_text("Prediction score", exact=True).first).to_be_visible()

    def sort(self, first: str) -> None:
        """Order by Prediction score: the lowest, or the highest, first."""
        ordered = self.page.get_by_role("button", name="Prediction score")
        if not ordered.count():
            self.page.get_by_role("button", name="Order by").click()
            self.page.get_by_text("Prediction score", exact=True).last.click()
        turn = self.page.get_by_role("button", name="Sort descending" if first == "highest" else "Sort ascending")
        if turn.count():
            turn.click()

    def retrieve(self) -> str:
        """Select all, Actions, Retrieve Predictions: what Label Studio says of it."""
        self.page.locator("input[type=checkbox]").first.check(force=True)
        self.page.get_by_role("button", name="Tasks Actions").click()
        self.page.get_by_text("Retrieve Predictions").first.click()
        with self.page.expect_response("**/api/dm/actions?id=retrieve_tasks_predictions**") as asked:
            self.page.locator("[class*=modal] button", has_text="OK").last.click()
        said: str = asked.value.json()["detail"]
        return said

    def expect_scores(self, scores: list[float | None]) -> None:
        """From the first row down; None: the cell is empty."""
        rows = self.page.locator(".lsf-table-row")
        expect(rows).to_have_count(len(scores))
        for number, score in enumerate(scores):
            shown = rows.nth(number).get_by_text("0.", exact=False)
            expect(shown).to_have_count(0) if score is None else expect(shown.first).to_have_text(f"{score:.3f}")


@pytest.mark.browser
def test_scores_are_shown_and_sorted_by_and_follow_the_model_and_a_failed_batch_is_told(
    tab: LabelingPage,
    label_studio: LabelStudio,
    client: Client,
    studio: LabelStudioClient,
    deploy,
    run,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    data = [{"text": text} for text in TEXTS]
    project = create_project(studio, title="Scores", config=find_template("classification").config, data=data)
    number, prompt = str(project.id), tmp_path / "prompt.txt"
    prompt.write_text("What is the mood? 😀")
    listed = DataManager(tab, label_studio, project.id)

    def shown_version(model: str) -> bool:
        return str(client.projects.get(id=project.id).model_version).startswith(f"{model}@")

    with serving(Scored()) as url:
        deployment = deploy(OLLAMA_ENDPOINT=url, OPENAI_MODEL="small")
        run(deployment, "prompts", "set", number, str(prompt))
        run(deployment, "connect", number)
        eventually(lambda: shown_version("small"), 60)
        listed.open()
        listed.show_scores()
        listed.expect_scores([None] * len(TEXTS))

        assert listed.retrieve() == "Retrieved 5 predictions"
        listed.sort("lowest")
        listed.expect_scores(sorted(SURE["small"]))
        tab.page.screenshot(path=tmp_path / "lowest-first.png")
        listed.sort("highest")
        listed.expect_scores(sorted(SURE["small"], reverse=True))
        tab.page.screenshot(path=tmp_path / "highest-first.png")

        run(deployment, "models", "use", number, "ollama:large")
        eventually(lambda: shown_version("large"), 60)
        listed.open()
        listed.expect_scores([None] * len(TEXTS))
        tab.page.screenshot(path=tmp_path / "promoted.png")
        listed.retrieve()
        listed.sort("lowest")
        listed.expect_scores(sorted(SURE["large"]))
        tab.page.screenshot(path=tmp_path / "promoted-predicted.png")
        assert f"last batch   {len(TEXTS)} tasks" in run(deployment, "status")

    deployment.backend.stop()  # its connections to the model server would live on
    deployment.start_backend()
    prompt.write_text("And the mood now?")
    run(deployment, "prompts", "set", number, str(prompt))
    assert listed.retrieve() == "Retrieved 5 predictions"
    told = run(deployment, "status")
    assert f"{len(TEXTS)} tasks at" in told
    assert "0 answered: Ollama at" in told
    assert "is not reachable" in told
    listed.open()
    listed.expect_scores([None] * len(TEXTS))
    tab.page.screenshot(path=tmp_path / "failed.png")
