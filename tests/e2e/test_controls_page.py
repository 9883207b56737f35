"""Nested choices, a comparison and a HyperText in Label Studio's own page: what a person sets stays, and nothing is lost."""

from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk import LabelStudio as Client
from page import ASKED, LabelingPage
from playwright.sync_api import expect
from scripted_model import MODEL, ScriptedModel

from annotune.label_studio.client import LabelStudioClient
from curation.projects import NewProject, create_project

PROMPT = '<TextArea name="prompt" toName="t" rows="4" editable="true" maxSubmissions="1"/>'
WHY = '<TextArea name="why" toName="t" rows="2" smart="false" maxSubmissions="1"/>'
NESTED = f"""<View><Text name="t" value="$text"/>{PROMPT}
<Choices name="kind" toName="t" smart="false" choice="multiple" allowNested="true">
<Choice value="Drug"><Choice value="Dose"/>
<Choice value="Use"><Choice value="Daily" alias="d"/><Choice value="Once"/></Choice></Choice>
<Choice value="Other"/></Choices><Rating name="stars" toName="t" smart="false"/></View>"""
PAIR = f"""<View><Text name="t" value="$text"/><Text name="other" value="$other"/>{PROMPT}
<Pairwise name="better" toName="t,other" smart="false"/>{WHY}</View>"""
HYPER = f"""<View><Labels name="label" toName="t"><Label value="Drug"/></Labels><HyperText name="t" value="$html"/>
{PROMPT}{WHY}</View>"""
DATA = {"text": "Take Zorvaxil 💊 daily.", "other": "Rest.", "html": "<p>Take <b>Zorvaxil</b> now.</p>"}


@pytest.fixture
def model(model: ScriptedModel) -> ScriptedModel:
    model.replies = {
        "Sort first": {"kind": ["Drug > Dose"], "stars": 2},
        "Sort again": {"kind": ["Other"], "stars": 4},
        "Compare": {"better": "right", "why": "It is brief."},
        "Explain": "A drug.",
    }
    return model


def ask(tab: LabelingPage, prompt: str, box: str = "textarea[name=prompt]") -> list[dict[str, Any]]:
    """Type a prompt and press Shift+Enter: the regions that come back."""
    field = tab.page.locator(box)
    field.fill(prompt)
    with tab.page.expect_response(ASKED) as asked:
        field.press("Shift+Enter")
    regions: list[dict[str, Any]] = asked.value.json()["data"]["result"]
    return regions


def tick(tab: LabelingPage, name: str) -> None:
    tab.page.locator("label").filter(has_text=name).locator("input").first.check(force=True)


def expect_ticked(tab: LabelingPage, *names: str) -> None:
    boxes = tab.page.locator("input[type=checkbox][name]:checked")
    expect(boxes).to_have_count(len(names))
    read = "boxes => boxes.map(box => box.closest('label').innerText.split('[')[0].trim())"
    assert boxes.evaluate_all(read) == list(names)


@pytest.mark.browser
def test_what_a_person_sets_stays_and_no_part_of_an_answer_is_lost(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, model: ScriptedModel, tmp_path: Path
) -> None:
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)

    def project(title: str, config: str) -> NewProject:
        made = create_project(studio, title=title, config=config, data=[DATA])
        run(deployment, "connect", str(made.id))
        return made

    def submitted(of: NewProject) -> dict[str, Any]:
        (task,) = client.tasks.list(project=of.id, fields="all")
        return {region["from_name"]: region["value"] for region in task.annotations[0]["result"]}

    nested, pair, hyper = project("Nested", NESTED), project("Pair", PAIR), project("Hyper", HYPER)
    tab.open(nested.id, nested.tasks[0])
    ask(tab, "Sort first")
    expect(tab.page.locator(".ant-rate-star-full")).to_have_count(2)
    expect_ticked(tab, "Dose")
    tick(tab, "Use")
    everything = ("Drug", "Dose", "Use", "Daily", "Once")
    expect_ticked(tab, *everything)
    view = tab.page.locator("[data-testid=htx-textbox-view]").filter(has=tab.region("prompt"))
    view.hover()
    view.locator("[data-testid=htx-textbox-edit-button]").click()
    ask(tab, "Sort again", "textarea[name^='prompt:']")
    expect(tab.page.locator(".ant-rate-star-full")).to_have_count(4)
    expect_ticked(tab, *everything)
    tab.page.screenshot(path=tmp_path / "nested.png", animations="disabled")
    tab.submit()
    tab.open(nested.id, nested.tasks[0])
    expect_ticked(tab, *everything)

    tab.open(pair.id, pair.tasks[0])
    ask(tab, "Compare")
    tab.page.screenshot(path=tmp_path / "pair-asked.png", animations="disabled")
    tab.submit()
    # Before Submit the page (1.23.2) shows nothing of an answer with a Pairwise.
    expect(tab.region("why")).to_have_text("It is brief.")
    tab.page.screenshot(path=tmp_path / "pair.png", animations="disabled")

    tab.open(hyper.id, hyper.tasks[0])
    assert [region["from_name"] for region in ask(tab, "Explain")] == ["why"]
    expect(tab.region("why")).to_have_text("A drug.")
    expect(tab.page.locator(".htx-highlight")).to_have_count(0)
    tab.page.screenshot(path=tmp_path / "hyper.png", animations="disabled")
    tab.submit()

    assert submitted(nested)["kind"]["choices"] == [
        ["Drug"],
        ["Drug", "Dose"],
        ["Drug", "Use"],
        ["Drug", "Use", "d"],
        ["Drug", "Use", "Once"],
    ]
    assert submitted(pair)["better"] == {"selected": "right"}
    assert submitted(pair)["why"] == {"text": ["It is brief."]}
    assert set(submitted(hyper)) == {"prompt", "why"}
