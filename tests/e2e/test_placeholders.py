"""A prompt's placeholders in Label Studio's own page: what names nothing is told beside the answer."""

from pathlib import Path

import pytest
from label_studio_sdk import LabelStudio as Client
from page import ASKED, LabelingPage
from playwright.sync_api import expect

from annotune.label_studio.client import LabelStudioClient
from curation.projects import create_project
from curation.templates import find_template

TOLD = "The prompt has {txt}, which names nothing in this task: did you mean {text}?"


@pytest.mark.browser
def test_a_placeholder_that_names_nothing_is_told_and_the_answer_comes_all_the_same(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, tmp_path: Path
) -> None:
    deployment = deployed(MAX_TOKENS="96")
    data = [{"question": "Ist Zorvaxil 💊 bei Kopfweh wirksam? <b>5 mg</b>"}]
    project = create_project(studio, title="Placeholders", config=find_template("question-answering").config, data=data)
    run(deployment, "connect", str(project.id))
    tab.open(project.id, project.tasks[0])
    tab.ask("Answer briefly: {txt}")
    expect(tab.region("llm_status")).to_contain_text(TOLD)
    tab.page.screenshot(path=tmp_path / "told.png", animations="disabled")

    view = tab.page.locator("[data-testid=htx-textbox-view]").filter(has=tab.region("prompt"))
    view.hover()
    view.locator("[data-testid=htx-textbox-edit-button]").click()
    box = tab.page.locator("textarea[name^='prompt:']")
    box.fill("Answer briefly: {text}")
    with tab.page.expect_response(ASKED):
        box.press("Shift+Enter")
    expect(tab.page.get_by_text(TOLD)).to_have_count(0)
    tab.page.screenshot(path=tmp_path / "right.png", animations="disabled")
    tab.submit()

    (task,) = list(client.tasks.list(project=project.id, fields="all"))
    (annotation,) = task.annotations
    assert TOLD not in str(annotation["result"])
