"""Spans in Label Studio's own page: what is highlighted is what was meant, behind emoji too."""

from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk import LabelStudio as Client
from page import ASKED, LabelingPage
from playwright.sync_api import expect
from scripted_model import MODEL, ScriptedModel

from annotune.label_studio.client import LabelStudioClient
from curation.projects import create_project

CONFIG = """<View>
<Labels name="label" toName="text" smart="false"><Label value="Drug"/><Label value="Condition" alias="COND"/></Labels>
<Text name="text" value="$text"/>
<TextArea name="prompt" toName="text" rows="4" editable="true" maxSubmissions="1"/></View>"""
# Two emoji, seven code points that look like one, a combining accent, CR and LF, U+2028, a byte order mark, old letters.
TEXT = "😀😀 Family 👨‍👩‍👧‍👦 and cafe\u0301: take\r\nZorvaxil\u2028 20 mg \ufefffor 𐎠𐎡 gout 🇫🇷, please 😀 do."
QUOTES = {"Zorvaxil": "Drug", "gout 🇫🇷": "COND"}
PROMPT = "Mark the drugs."
HIGHLIGHTED = "() => [...document.querySelectorAll('.htx-highlight')].map(found => found.textContent)"
MIDDLE_OF_WORD = """word => {
  const texts = document.createNodeIterator(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const at = node.textContent.indexOf(word), box = document.createRange();
    if (at < 0 || !node.parentElement.closest("[class*=richtext]")) continue;
    box.setStart(node, at);
    box.setEnd(node, at + word.length);
    const {x, y, width, height} = box.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  }
}"""


def span(quote: str, label: str, *, units: bool = False) -> dict[str, Any]:
    """A stored span, counted in code points, or as earlier versions of ours did."""
    begin = TEXT.index(quote)
    start, length = (len(part.encode("utf-16-le")) // 2 if units else len(part) for part in (TEXT[:begin], quote))
    return {"start": start, "end": start + length, "text": quote, "labels": [label]}


def values(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    return [found["value"] for found in annotation["result"] if found["type"] == "labels"]


def highlighted(tab: LabelingPage, count: int) -> list[str]:
    expect(tab.page.locator(".htx-highlight").nth(count - 1)).to_be_visible()
    found: list[str] = tab.page.evaluate(HIGHLIGHTED)
    return found


@pytest.fixture
def model(model: ScriptedModel) -> ScriptedModel:
    labels = {"COND": "Condition"}
    model.replies[PROMPT] = {
        "label": [{"quote": quote, "label": labels.get(label, label)} for quote, label in QUOTES.items()]
    }
    return model


@pytest.mark.browser
def test_a_span_highlights_the_words_that_it_quotes_and_one_of_an_earlier_version_is_repaired(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, model: ScriptedModel, tmp_path: Path
) -> None:
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)
    project = create_project(studio, title="Spans behind emoji", config=CONFIG, data=[{"text": TEXT}] * 3)
    run(deployment, "connect", str(project.id))
    right = [span(quote, label) for quote, label in QUOTES.items()]
    asked, drawn, old = project.tasks
    shifted = [
        {
            "id": f"s{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": span(*each, units=True),
        }
        for number, each in enumerate(QUOTES.items())
    ]
    stored = client.predictions.create(task=old, result=shifted, model_version="scripted@0123abcd", score=0.7)
    # First what needs no prompt: once one is submitted, a task that is opened is answered at once.
    tab.open(project.id, drawn)
    tab.page.locator(".lsf-label").first.click()
    tab.page.mouse.dblclick(*tab.page.evaluate(MIDDLE_OF_WORD, "Zorvaxil"))
    assert highlighted(tab, 1) == ["Zorvaxil"]
    tab.submit()

    tab.open(project.id, old)
    assert highlighted(tab, 2) != list(QUOTES)
    tab.page.screenshot(path=tmp_path / "shifted.png", animations="disabled")
    assert f"predictions repaired: 1 ({stored.id})" in run(deployment, "predictions", "repair", str(project.id))
    tab.open(project.id, old)
    assert highlighted(tab, 2) == list(QUOTES)
    tab.page.screenshot(path=tmp_path / "repaired.png", animations="disabled")

    tab.open(project.id, asked)
    box = tab.page.locator("textarea[name=prompt]")
    box.fill(PROMPT)
    with tab.page.expect_response(ASKED):
        box.press("Shift+Enter")
    assert highlighted(tab, 2) == list(QUOTES)
    tab.page.screenshot(path=tmp_path / "asked.png", animations="disabled")
    with tab.page.expect_response(ASKED):  # the page asks once more, about nothing
        tab.submit()
    tab.open(project.id, asked)
    assert highlighted(tab, 2) == list(QUOTES)
    tab.page.screenshot(path=tmp_path / "reloaded.png", animations="disabled")

    assert "predictions repaired: 0" in run(deployment, "predictions", "repair", str(project.id))
    repaired = client.predictions.get(id=stored.id)
    assert (repaired.score, repaired.model_version) == (0.7, "scripted@0123abcd")
    annotated = {task.id: task.annotations for task in client.tasks.list(project=project.id, fields="all")}
    assert values(annotated[asked][0]) == right
    assert values(annotated[drawn][0]) == right[:1]
