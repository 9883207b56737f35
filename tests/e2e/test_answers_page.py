"""Answers of several controls, and why nothing came, in Label Studio's own page."""

from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk import LabelStudio as Client
from page import ASKED, LabelingPage
from playwright.sync_api import expect

from annotune.label_studio.client import LabelStudioClient
from annotune.servers.ollama import OllamaClient
from curation.projects import create_project
from curation.templates import find_template
from embedded.base_model import add_base_model
from embedded.ollama import OllamaServer as EmbeddedOllama
from embedded.processes import ServiceError

PROMPT = "Answer the question in one short sentence."


def ask(tab: LabelingPage, prompt: str) -> list[dict[str, Any]]:
    """Type a prompt and press Shift+Enter: the regions that come back."""
    box = tab.page.locator("textarea[name=prompt]")
    box.click()
    box.fill(prompt)
    with tab.page.expect_response(ASKED) as asked:
        box.press("Shift+Enter")
    regions: list[dict[str, Any]] = asked.value.json()["data"]["result"]
    return regions


def chosen(tab: LabelingPage) -> list[str]:
    return tab.page.locator("input[type=radio]:checked, input[type=checkbox]:checked").evaluate_all(
        "boxes => boxes.map(box => box.name)"
    )


@pytest.mark.browser
def test_a_text_a_choice_and_a_rating_are_filled_by_one_answer_and_submitted(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, tmp_path: Path
) -> None:
    deployment = deployed(MAX_TOKENS="96")
    question = {"question": "Is water wet?"}
    project = create_project(studio, title="Review", config=find_template("rated-answer").config, data=[question])
    run(deployment, "connect", str(project.id))
    tab.open(project.id, project.tasks[0])
    given = {region["from_name"]: region["value"] for region in ask(tab, PROMPT)}
    assert given.pop("llm_status") == {"text": []}
    assert set(given) == {"response", "use", "certainty"}

    expect(tab.region("response")).to_have_text(" ".join(given["response"]["text"][0].split()))
    label = tab.page.locator(".lsf-choice, .ant-radio-wrapper, label").filter(has_text=given["use"]["choices"][0])
    expect(label.first.locator("input")).to_be_checked()
    expect(tab.page.locator(".ant-rate-star-full")).to_have_count(given["certainty"]["rating"])
    tab.page.screenshot(path=tmp_path / "filled.png", animations="disabled")
    tab.submit()

    (task,) = list(client.tasks.list(project=project.id, fields="all"))
    (annotation,) = task.annotations
    stored = {region["from_name"]: region["value"] for region in annotation["result"]}
    assert {name: stored[name] for name in given} == given
    assert stored["prompt"] == {"text": [PROMPT]}
    assert "llm_status" not in stored


@pytest.mark.browser
def test_a_status_says_why_nothing_came_and_goes_with_the_next_answer(
    tab: LabelingPage, studio: LabelStudioClient, deploy, tmp_path: Path
) -> None:
    model = EmbeddedOllama(tmp_path / "ollama", threads=1)
    deployment = deploy(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL="smollm2:135m")
    data = [{"question": "Is water wet?"}]
    project = create_project(studio, title="Status", config=find_template("question-answering").config, data=data)
    with pytest.raises(ServiceError, match="connected, but something will not work"):
        deployment.run("connect", str(project.id))
    tab.open(project.id, project.tasks[0])
    (status,) = ask(tab, PROMPT)
    assert status["from_name"] == "llm_status"
    expect(tab.region("llm_status")).to_contain_text("The model is not answering at the moment")
    tab.page.screenshot(path=tmp_path / "away.png")

    with model:
        registry = OllamaClient(model.url)
        add_base_model(registry)
        registry.close()
        names = [region["from_name"] for region in tab.ask_again(f"{PROMPT} Be kind.")]
        assert names == ["response", "llm_status"]
        expect(tab.region("response")).not_to_be_empty()
        expect(tab.page.get_by_text("is not answering")).to_have_count(0)
        expect(tab.region("llm_status")).to_be_hidden()
        tab.page.screenshot(path=tmp_path / "back.png")
        tab.submit()
    tab.open(project.id, project.tasks[0])
    expect(tab.page.get_by_text("is not answering")).to_have_count(0)
