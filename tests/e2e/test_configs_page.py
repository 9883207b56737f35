"""The labeling configs that we ship, as an annotator sees them: light and dark, asked, waiting, answered, submitted."""

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk import LabelStudio as Client
from looks import readable, take_pictures
from page import ASKED, AUTO_ANNOTATION, LabelingPage
from playwright.sync_api import Locator, expect
from scripted_model import MODEL, ScriptedModel

from annotune.label_studio.client import LabelStudioClient
from curation.projects import create_project
from curation.templates import find_template

STATUS, WAITING, OFF = ".status [data-testid=htx-textbox-content]", ".status::before", ".auto h4"
PICTURES = {"rated-answer": ["page-review"], "question-answering": ["page-light", "page-dark"]}  # as the docs show them
REOPENED = ("spans", "rated-answer")
FOCUSED = "() => document.activeElement.closest('.answer') !== null"
TABS = 25  # more than the page has places for them below the prompt
LONG = "Nehmen Sie Zorvaxil 😀 20 mg bei Gicht, täglich nach dem Frühstück. " + "Die Ärztin prüft die Werte. " * 120


def picture() -> str:
    """A PNG as the page takes it, 320 by 160."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (320).to_bytes(4, "big") + (160).to_bytes(4, "big")
    rows = zlib.compress((b"\0" + b"\x5b\x74\xd6" * 320) * 160)
    png = chunk(b"IHDR", size + bytes([8, 2, 0, 0, 0])) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + png).decode()


@dataclass(frozen=True)
class Case:
    """A task of a config, what a model is asked about it, and what it answers."""

    data: dict[str, Any]
    prompt: str
    reply: str | dict[str, Any]


CASES = {
    "classification": Case(
        {"text": "Das Personal war sehr freundlich 😀."}, "What is the mood of the text?", {"label": "Positive"}
    ),
    "comparison": Case(
        {"question": "Who makes Zorvaxil?", "left": "I do not know.", "right": "Quillfield Bio, in Köln 😀."},
        "Which answer helps a patient more?",
        {"better": "Right"},
    ),
    "dialogue": Case(
        {"talk": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]},
        "Write what the user says next.",
        "Who makes Zorvaxil?",
    ),
    "image": Case({"image": picture()}, "Describe the picture.", "A blue box."),
    "spans": Case(
        {"text": LONG},
        "Mark drugs and doses.",
        {"label": [{"quote": "Zorvaxil", "label": "Drug"}, {"quote": "20 mg", "label": "Dose"}]},
    ),
    "rated-answer": Case(
        {"question": "May Zorvaxil be taken with milk?"},
        "Answer in one sentence. Say who may read it.",
        {"response": "Yes, with milk or with water.", "use": "For patients", "certainty": 4},
    ),
    "question-answering": Case(
        {"question": "Who makes Zorvaxil?"}, "Answer in one sentence.", "Quillfield Bio, in Köln, makes Zorvaxil."
    ),
}


PLAIN = """<View><Text name="chat" value="$question"/>
<TextArea name="prompt" toName="chat" rows="3" editable="true" maxSubmissions="1"/>
<TextArea name="llm_status" toName="chat" editable="false" smart="false" maxSubmissions="0"/>
<TextArea name="response" toName="chat" rows="3" editable="true" smart="false" maxSubmissions="1"/></View>"""


def top(found: Locator) -> float:
    box = found.first.bounding_box()
    assert box
    return box["y"]


def new_task(
    client: Client, studio: LabelStudioClient, url: str, title: str, config: str, data: dict[str, Any]
) -> tuple[int, int]:
    """A project with one task, and the backend beside it: its id, and the task's."""
    project = create_project(studio, title=title, config=config, data=[data])
    client.ml.create(project=project.id, title=title, url=url, is_interactive=True)
    return project.id, project.tasks[0]


def looks(tab: LabelingPage, name: str) -> None:
    """What the page is like before anything is asked."""
    tab.page.add_style_tag(content="* { transition: none !important; }")
    parts = [".asked, [class*=paragraphs], [class*=image]", ".prompt", ".status", ".answer"]
    places = [top(tab.page.locator(f".root :is({part})")) for part in parts]
    assert places == sorted(places), name
    expect(tab.page.locator(".status textarea, .status input")).to_have_count(0)
    status = tab.page.locator(".status").bounding_box()
    assert status
    assert status["height"] < 10  # the margin of what holds nothing
    expect(tab.page.get_by_text("00:00:00").filter(visible=True)).to_have_count(0)
    readable(tab, OFF)
    on = tab.page.locator(OFF).evaluate("seen => getComputedStyle(seen).color")
    tab.page.locator(AUTO_ANNOTATION).dispatch_event("click")
    expect(tab.page.locator(AUTO_ANNOTATION)).not_to_be_checked()
    assert tab.page.locator(OFF).evaluate("seen => getComputedStyle(seen).color") != on
    readable(tab, OFF)
    tab.page.locator(AUTO_ANNOTATION).dispatch_event("click")
    expect(tab.page.locator(AUTO_ANNOTATION)).to_be_checked()
    if tab.page.locator(".asked").count():
        readable(tab, ".asked", "borderLeftColor")


def waits(tab: LabelingPage) -> None:
    """While the model answers, that is told, and nobody can type an answer that would be replaced."""
    expect(tab.page.locator(".lsf-requesting")).to_be_visible()
    assert "answering" in tab.page.evaluate(
        "() => getComputedStyle(document.querySelector('.status'), '::before').content"
    )
    readable(tab, WAITING)
    for _ in range(TABS):
        tab.page.keyboard.press("Tab")
        assert not tab.page.evaluate(FOCUSED)
    answer = tab.page.locator(".answer").bounding_box()
    assert answer
    tab.page.mouse.click(answer["x"] + 40, answer["y"] + answer["height"] - 20)
    assert not tab.page.evaluate(FOCUSED)


def press(tab: LabelingPage, prompt: str) -> None:
    """Write the prompt, in the box or over the one that stands there, and press Shift+Enter."""
    if tab.page.locator("textarea[name=prompt]").count():
        box = tab.page.locator("textarea[name=prompt]")
    else:
        view = tab.page.locator("[data-testid=htx-textbox-view]").filter(has=tab.region("prompt"))
        view.hover()
        view.locator("[data-testid=htx-textbox-edit-button]").click()
        box = tab.page.locator("textarea[name^='prompt:']")
    box.fill(prompt)
    box.press("Shift+Enter")


def shows(tab: LabelingPage, reply: str | dict[str, Any]) -> None:
    """Each control shows what the model answered."""
    for control, value in ({"response": reply} if isinstance(reply, str) else reply).items():
        if control == "response":
            expect(tab.region(control)).to_have_text(value)
        elif isinstance(value, int):
            expect(tab.page.locator(".ant-rate-star-full")).to_have_count(value)
        elif isinstance(value, list):
            expect(tab.page.locator(".htx-highlight")).to_have_text([found["quote"] for found in value])
        else:
            expect(tab.page.locator("label").filter(has_text=value).locator("input")).to_be_checked()


@pytest.mark.parametrize("name", CASES)
def test_label_studio_imports_the_sample_tasks(client: Client, studio: LabelStudioClient, name: str) -> None:
    tasks = find_template(name).sample_tasks()
    made = create_project(studio, title=name, config=find_template(name).config, data=tasks)

    assert [client.tasks.get(str(task)).data for task in made.tasks] == tasks


@pytest.mark.browser
def test_each_config_can_be_read_waited_for_answered_and_submitted_in_light_and_dark(
    tab: LabelingPage,
    client: Client,
    studio: LabelStudioClient,
    deployed,
    model: ScriptedModel,
    tmp_path: Path,
    pictures: Path,
) -> None:
    model.replies = {case.prompt: case.reply for case in CASES.values()}
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)
    for name, case in CASES.items():
        project, task = new_task(client, studio, deployment.url, name, find_template(name).config, case.data)
        tab.open(project, task)
        looks(tab, name)

        model.chat_error = "out of memory"
        press(tab, case.prompt.removesuffix("."))
        expect(tab.page.locator(STATUS)).not_to_be_empty()
        readable(tab, STATUS)
        tab.page.screenshot(path=tmp_path / f"{name}-status.png")

        model.free.clear()
        model.chat_error = ""
        with tab.page.expect_response(ASKED):
            press(tab, case.prompt + " ")
            waits(tab)
            tab.page.screenshot(path=tmp_path / f"{name}-waiting.png")
            model.free.set()
        shows(tab, case.reply)
        expect(tab.page.locator(STATUS).filter(visible=True)).to_have_count(0)
        if name == "spans":
            expect(tab.page.locator(".legend")).to_be_in_viewport(ratio=1)
        tab.page.screenshot(path=tmp_path / f"{name}-answered.png")
        if name in PICTURES:
            take_pictures(tab, pictures, PICTURES[name])
        tab.submit()
        if name in REOPENED:
            tab.open(project, task)
            shows(tab, case.reply)
            tab.page.screenshot(path=tmp_path / f"{name}-reopened.png")

    case = CASES["comparison"]
    compared = next(asked for asked in model.asked if f"{case.prompt} " in asked)
    shown = [compared.index(text) for text in case.data.values()]
    assert shown == sorted(shown)


@pytest.mark.browser
def test_a_status_takes_no_room_in_a_config_without_a_style(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, model: ScriptedModel, tmp_path: Path
) -> None:
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)
    project, task = new_task(client, studio, deployment.url, "Plain", PLAIN, {"question": "Who makes Zorvaxil?"})
    controls = "[data-testid=textarea-control] :is([data-testid=textarea-form], [data-testid=htx-textbox-view])"
    tab.open(project, task)
    expect(tab.page.locator(controls)).to_have_count(2)
    model.chat_error = "out of memory"
    with tab.page.expect_response(ASKED):
        press(tab, "Who?")
    expect(tab.region("llm_status")).to_be_visible()
    model.chat_error = ""
    with tab.page.expect_response(ASKED):
        press(tab, "Who makes it?")
    expect(tab.region("response")).to_have_text("Yes.")
    expect(tab.page.locator(controls)).to_have_count(2)
    tab.page.screenshot(path=tmp_path / "plain.png")
