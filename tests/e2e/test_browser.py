"""A person in Label Studio's own page: asks, corrects, submits, comes back."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from page import ASKED, LabelingPage
from playwright.sync_api import Response, expect
from services import Eventually

from annotune.label_studio.client import LabelStudioClient
from annotune.store.store import Store
from curation.projects import create_project
from curation.templates import find_template

ARTICLE = Path(__file__).resolve().parents[1] / "data" / "article"
PROMPT = "Answer the question in one short sentence."
CORRECTION = "Zorvaxil is made by Quillfield Bio, and by nobody else."


@dataclass(frozen=True)
class Case:
    """`asks_on_edit`: an edit of the answer makes the page ask the model again."""

    config: str
    field: str
    asks_on_edit: bool


CASES = {
    "ours": Case(find_template("question-answering").config, "question", asks_on_edit=False),
    "the article's second": Case((ARTICLE / "project2.xml").read_text(encoding="utf-8"), "text", asks_on_edit=True),
}


@pytest.mark.browser
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_correction_is_there_after_submit_and_reload_and_is_recorded_as_corrected(
    case: Case,
    tab: LabelingPage,
    studio: LabelStudioClient,
    deployed,
    run,
    store_of,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    deployment = deployed(MAX_TOKENS="96")
    project = create_project(
        studio, title="In the browser", config=case.config, data=[{case.field: "Who makes Zorvaxil?"}]
    )
    run(deployment, "connect", str(project.id))
    tab.open(project.id, project.tasks[0])
    answer = tab.ask(PROMPT)
    assert answer.strip()
    assert answer.strip() != CORRECTION
    tab.page.screenshot(path=tmp_path / "answered.png")

    asked: list[Response] = []
    tab.page.on("response", lambda reply: asked.append(reply) if "/interactive-annotating" in reply.url else None)
    if case.asks_on_edit:
        with tab.page.expect_response(ASKED):
            tab.correct(CORRECTION)
    else:
        tab.correct(CORRECTION)
    assert bool(asked) == case.asks_on_edit
    # With Auto-Annotation on, the page asks with an empty context after Submit.
    with tab.page.expect_response(ASKED):
        tab.submit()
    assert [reply.json()["data"]["result"] for reply in asked] == [[] for _ in asked]
    expect(tab.region("response")).to_have_text(CORRECTION)
    tab.page.screenshot(path=tmp_path / "submitted.png")

    tab.open(project.id, project.tasks[0])
    expect(tab.region("response")).to_have_text(CORRECTION)
    expect(tab.region("prompt")).to_have_text(PROMPT)
    tab.page.screenshot(path=tmp_path / "reloaded.png")

    store: Store = store_of(deployment)

    def recorded() -> dict[str, int]:
        tally = store.changes.summary(project.id)
        return tally.kinds if tally else {}

    eventually(recorded, 60)
    assert recorded() == {"corrected": 1}


@pytest.mark.browser
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_opened_task_shows_what_was_predicted_and_asks_nothing_more(
    case: Case, tab: LabelingPage, studio: LabelStudioClient, deployed, run
) -> None:
    deployment = deployed(DEFAULT_PROMPT=PROMPT)
    project = create_project(studio, title="Opened", config=case.config, data=[{case.field: "Who makes Zorvaxil?"}])
    run(deployment, "connect", str(project.id))
    asked: list[Response] = []
    tab.page.on("response", lambda reply: asked.append(reply) if "/interactive-annotating" in reply.url else None)
    tab.open(project.id, project.tasks[0])
    expect(tab.region("prompt")).to_have_text(PROMPT)
    predicted = tab.region("response").inner_text()
    assert predicted.strip()

    tab.open(project.id, project.tasks[0])
    with tab.page.expect_response(ASKED):
        tab.submit()
    expect(tab.region("response")).to_have_text(" ".join(predicted.split()))
    assert [reply.json()["data"]["result"] for reply in asked] == [[] for _ in asked]
