"""The four templates of a dataset's way, as an annotator uses them: asked, judged, corrected, submitted by keyboard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk import LabelStudio as Client
from looks import SHAPE, readable, take_pictures
from page import ASKED, LabelingPage
from playwright.sync_api import expect
from scripted_model import MODEL, ScriptedModel

from annotune.label_studio.client import LabelStudioClient
from annotune.project_options import ProjectOptions
from curation.projects import create_project
from curation.templates import Template, find_template

NARROW = 760  # pixels of a window: the columns stand below each other
FOLD = ".ant-collapse-header"
FOLDED = ".ant-collapse-content-box"
SUBMITTED = "Control+Enter"
STATUS = ".status [data-testid=htx-textbox-content]"
LONG = "Die Ärztin prüft die Werte 😀 jeden Morgen. " * 900
SHOWN = """What are the typical signs of hand eczema?
How is hand eczema diagnosed?
Which ointment calms an acute flare of hand eczema?
Which harm can alitretinoin do in pregnancy?
How can people with wet work lower their risk of hand eczema?"""
ANSWER = "Gloves over cotton gloves, mild cleansers, and a fatty ointment several times a day."
QUESTIONS = "Who takes Zorvaxil?\nHow is gout diagnosed?\n\nWhat harms the liver?"


@pytest.fixture
def opened(tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, store_of, model: ScriptedModel):
    """`opened("medchat", {...})`: a task of the template's project is open; its id."""

    def open_task(name: str, data: Mapping[str, Any]) -> int:
        template: Template = find_template(name)
        project = create_project(studio, title=template.title, config=template.config, data=[data])
        if template.fills:
            deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)
            store_of(deployment).options.set(project.id, ProjectOptions(template=name, fills=template.fills))
            client.ml.create(project=project.id, title=name, url=deployment.url, is_interactive=True)
        tab.open(project.id, project.tasks[0], asks=bool(template.fills))
        tab.page.add_style_tag(content="* { transition: none !important; }")
        tab.page.locator(
            ".asked, .ant-collapse-content-box"
        ).first.click()  # Auto-Annotation's switch takes keys for itself
        return project.tasks[0]

    return open_task


def press(tab: LabelingPage, keys: str) -> None:
    for key in keys:
        tab.page.keyboard.press(key)


def ask_for_lines(tab: LabelingPage, prompt: str, lines: str) -> None:
    """Ask, and wait until each line of the answer is on the page."""
    box = tab.page.locator("textarea[name=prompt]")
    box.fill(prompt)
    with tab.page.expect_response(ASKED):
        box.press("Shift+Enter")
    expect(tab.region("response")).to_have_text("".join(lines.splitlines()))


def submit(tab: LabelingPage) -> None:
    with tab.page.expect_response(lambda reply: "/annotations" in reply.url and reply.request.method == "POST"):
        tab.page.keyboard.press(SUBMITTED)


def stored(client: Client, task: int) -> dict[str, Any]:
    """The value of each region of the task's one annotation, by control."""
    (annotation,) = client.annotations.list(id=task)
    regions = annotation.result or []
    assert len({region["from_name"] for region in regions}) == len(regions)
    return {region["from_name"]: next(iter(region["value"].values())) for region in regions}


def ticked(tab: LabelingPage) -> list[str | None]:
    return [box.get_attribute("name") for box in tab.page.locator(".lsf-choices input:checked").all()]


@pytest.mark.browser
def test_medchat_a_judgement_before_and_a_correction_after_the_answer_are_stored_as_seen(
    tab: LabelingPage, client: Client, model: ScriptedModel, opened, pictures: Path
) -> None:
    data = find_template("medchat").sample_tasks()[0]
    task = opened("medchat", data)
    press(tab, "rrrr2")  # before anything is asked
    expect(tab.page.locator(".ant-rate-star-full")).to_have_count(4)
    model.replies = {"one sentence": "From a day before the symptoms until about a week after they began."}
    tab.ask("Answer in one sentence.")
    expect(tab.page.locator(".ant-rate-star-full")).to_have_count(4)
    assert ticked(tab) == ["Incomplete"]
    for part in (".model h3", ".model .hint h4", ".people h3", ".people h4", ".people label", ".card .lsf-richtext"):
        readable(tab, part)
    readable(tab, ".ant-rate-star-full", least=SHAPE)
    take_pictures(tab, pictures, ["medchat-narrow"], width=NARROW)
    take_pictures(tab, pictures, ["medchat-light", "medchat-dark"])

    tab.correct("Seven days 🤒, longer in children.")
    model.replies = {"one word": "Week."}
    tab.ask_again("Answer in one word.")
    expect(tab.region("response")).to_have_text("Seven days 🤒, longer in children.")
    expect(tab.page.locator(STATUS)).not_to_be_empty()
    press(tab, "25r7")  # the answer is complete, and hard to understand; a fifth star
    assert ticked(tab) == ["Not understandable", "Reference lacks context"]
    submit(tab)

    assert stored(client, task) == {
        "prompt": ["Answer in one word."],
        "response": ["Seven days 🤒, longer in children."],
        "rating": 5,
        "faults": ["Not understandable"],
        "reference_faults": ["Reference lacks context"],
    }
    assert [word for told in model.asked for word in (data["answer"], "Incomplete", "rating") if word in told] == []


@pytest.mark.browser
def test_questions_a_very_long_text_folds_and_the_corrected_list_is_stored_as_seen(
    tab: LabelingPage, client: Client, model: ScriptedModel, opened, pictures: Path
) -> None:
    task = opened("questions", {"text": LONG})
    expect(tab.page.locator("textarea[name=response]")).to_be_in_viewport()
    tab.page.locator(FOLD).click()
    expect(tab.page.locator(FOLDED)).to_be_hidden()
    tab.page.locator(FOLD).click()
    expect(tab.page.locator(FOLDED)).to_be_visible()

    model.replies = {"several": QUESTIONS}
    ask_for_lines(tab, "Write several questions.", QUESTIONS)
    assert LONG.strip() in model.asked[-1]
    corrected = QUESTIONS.replace("gout", "gout 🦶") + "\nWhat helps?"
    tab.write("response", corrected)
    submit(tab)

    assert stored(client, task) == {"prompt": ["Write several questions."], "response": [corrected]}

    template = find_template("questions")
    opened("questions", template.sample_tasks()[0])
    model.replies = {"eczema": SHOWN}
    ask_for_lines(tab, template.prompt, SHOWN)
    expect(tab.page.locator(".model")).to_be_in_viewport(ratio=1)  # below a long prompt
    take_pictures(tab, pictures, ["questions-narrow"], width=NARROW)
    take_pictures(tab, pictures, ["questions-light", "questions-dark"])


@pytest.mark.browser
def test_answers_the_source_text_is_on_the_page_and_reaches_the_model_where_the_prompt_names_it(
    tab: LabelingPage, client: Client, model: ScriptedModel, opened, pictures: Path
) -> None:
    template = find_template("answers")
    data = template.sample_tasks()[0]
    task = opened("answers", data)
    expect(tab.page.locator(FOLDED)).to_have_text(data["source_text"])
    readable(tab, FOLD)
    readable(tab, FOLDED)

    model.replies = {"right medical terms": ANSWER}
    tab.ask(template.prompt)
    assert data["source_text"] in model.asked[-1]
    take_pictures(tab, pictures, ["answers-narrow"], width=NARROW)
    take_pictures(tab, pictures, ["answers-light", "answers-dark"])
    model.replies = {"alone": "Dry hands."}
    tab.ask_again("Answer alone.")
    expect(tab.region("response")).to_have_text("Dry hands.")
    assert data["source_text"] not in model.asked[-1]
    submit(tab)

    assert stored(client, task) == {"prompt": ["Answer alone."], "response": ["Dry hands."]}


@pytest.mark.browser
def test_review_a_verdict_is_required_and_a_correction_is_stored_only_with_its_verdict(
    tab: LabelingPage, client: Client, opened, pictures: Path
) -> None:
    samples = find_template("review").sample_tasks()
    task = opened("review", samples[0])
    readable(tab, ".note")
    press(tab, "2")
    take_pictures(tab, pictures, ["review-narrow"], width=NARROW)
    take_pictures(tab, pictures, ["review-light", "review-dark"])
    box = tab.page.locator("textarea[name=correction]")
    expect(box).to_have_value(samples[0]["answer"])
    box.fill("Amoxicillin for fourteen days 💊.")
    box.press("Shift+Enter")
    submit(tab)
    assert stored(client, task) == {"verdict": ["Correct"], "correction": ["Amoxicillin for fourteen days 💊."]}

    task = opened("review", samples[2])
    expect(tab.page.locator(f"{FOLD}, .note")).to_have_count(2)
    expect(tab.page.locator(f"{FOLD}, .note").filter(visible=True)).to_have_count(0)  # no source, no disagreement
    tab.page.keyboard.press(SUBMITTED)
    expect(tab.page.get_by_text("Accept, correct or reject the answer.")).to_be_visible()
    tab.page.get_by_role("button", name="OK").click()
    press(tab, "21")
    expect(box).to_be_hidden()
    submit(tab)
    assert stored(client, task) == {"verdict": ["Accept"]}
