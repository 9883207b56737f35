"""What a person wrote or set, in Label Studio's own page: it stays, and the page says so."""

from pathlib import Path

import pytest
from label_studio_sdk import LabelStudio as Client
from page import LabelingPage
from playwright.sync_api import expect
from scripted_model import MODEL, ScriptedModel

from annotune.label_studio.client import LabelStudioClient
from curation.projects import create_project
from curation.templates import find_template

PATIENTS, STAFF = "For patients", "For staff only"
QUESTION = [{"question": "Wie nimmt man Zorvaxil 💊 ein? <b>20 mg</b>, 1-0-1"}]
REPLIES = {
    "One.": {"response": "Swallow it whole 😀.", "use": PATIENTS, "certainty": 5},
    "Two.": {"response": "With water.", "use": STAFF, "certainty": 2},
}
TEXT = [{"text": "😀 Take Zorvaxil, 20 mg, for gout 🇫🇷."}]
DRUG, DOSE, CONDITION = (
    {"quote": quote, "label": label}
    for quote, label in (("Zorvaxil", "Drug"), ("20 mg", "Dose"), ("gout 🇫🇷", "Condition"))
)
SPANS = {"One.": {"label": [DRUG, DOSE]}, "Two.": {"label": [DRUG, CONDITION]}}
AGAIN = "To ask again, add a space to the prompt."
NOT_ANSWERING = "The model is not answering at the moment; your administrator can see why."
EARLIER = "The answer below is to an earlier prompt."


def kept(names: str) -> str:
    return f"Kept what you set: {names}. Delete it and ask again to have it replaced. {AGAIN}"


HIGHLIGHTED = "() => [...document.querySelectorAll('.htx-highlight')].map(found => found.textContent)"


def choose(tab: LabelingPage, label: str) -> None:
    tab.page.locator("label").filter(has_text=label).click()


def shows(tab: LabelingPage, response: str, use: str, stars: int) -> None:
    expect(tab.region("response")).to_have_text(response)
    expect(tab.page.locator("label").filter(has_text=use).locator("input")).to_be_checked()
    expect(tab.page.locator(".ant-rate-star-full")).to_have_count(stars)


@pytest.mark.browser
def test_a_choice_that_a_person_set_back_stays_and_no_status_is_submitted(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, model: ScriptedModel, tmp_path: Path
) -> None:
    model.replies = REPLIES
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)
    project = create_project(studio, title="Kept", config=find_template("rated-answer").config, data=QUESTION)
    run(deployment, "connect", str(project.id))
    tab.open(project.id, project.tasks[0])
    tab.ask("One.")
    tab.ask_again("Two.")
    shows(tab, "With water.", STAFF, 2)

    with tab.page.expect_response(lambda reply: "/drafts" in reply.url):  # what the reload brings back
        choose(tab, PATIENTS)
    tab.open(project.id, project.tasks[0])
    shows(tab, "With water.", PATIENTS, 2)
    tab.ask_again("One. ")
    shows(tab, "Swallow it whole 😀.", PATIENTS, 5)
    tab.ask_again("Two. ")
    shows(tab, "With water.", PATIENTS, 2)
    expect(tab.region("llm_status")).to_have_text(kept("use"))
    tab.page.screenshot(path=tmp_path / "kept.png", animations="disabled")

    model.chat_error = "canary"
    tab.ask_again("Three.")
    expect(tab.region("llm_status")).to_contain_text(NOT_ANSWERING)
    expect(tab.region("llm_status")).to_contain_text(EARLIER)
    tab.page.screenshot(path=tmp_path / "away.png", animations="disabled")

    model.chat_error = ""
    choose(tab, PATIENTS)
    tab.delete("response")
    tab.ask_again("Two.")
    shows(tab, "With water.", STAFF, 2)
    expect(tab.region("llm_status")).to_be_hidden()

    model.chat_error = "canary"
    tab.ask_again("Three.")
    expect(tab.region("llm_status")).to_contain_text(EARLIER)
    tab.submit()

    (task,) = list(client.tasks.list(project=project.id, fields="all"))
    (annotation,) = task.annotations
    stored = {region["from_name"]: region["origin"] for region in annotation["result"]}
    assert stored == {"prompt": "manual", "response": "prediction", "use": "prediction", "certainty": "prediction"}


@pytest.mark.browser
def test_a_text_that_a_person_edited_stays_whatever_is_asked(
    tab: LabelingPage, studio: LabelStudioClient, deployed, run, model: ScriptedModel, tmp_path: Path
) -> None:
    model.replies = {"Prepared.": "Prepared 😀.", "One.": "First.", "Two.": "Second."}
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL, DEFAULT_PROMPT="Prepared.")
    config = find_template("question-answering").config
    project = create_project(studio, title="Edited", config=config, data=QUESTION)
    run(deployment, "connect", str(project.id))
    tab.open_predicted(project.id, project.tasks[0])
    expect(tab.region("response")).to_have_text("Prepared 😀.")
    tab.ask_again("One.")
    expect(tab.region("response")).to_have_text("First.")

    tab.correct("Mine, with 20 mg 💊.")
    (status,) = tab.ask_again("Two.")
    assert status["from_name"] == "llm_status"
    expect(tab.region("llm_status")).to_have_text(kept("response"))
    expect(tab.region("response")).to_have_text("Mine, with 20 mg 💊.")
    tab.page.screenshot(path=tmp_path / "edited.png", animations="disabled")

    tab.delete("response")
    tab.ask_again("Two. ")
    expect(tab.region("response")).to_have_text("Second.")
    expect(tab.region("llm_status")).to_be_hidden()
    tab.page.screenshot(path=tmp_path / "asked.png", animations="disabled")


@pytest.mark.browser
def test_a_span_is_given_once_and_one_that_a_person_deleted_does_not_come_back(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, model: ScriptedModel, tmp_path: Path
) -> None:
    model.replies = SPANS
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)
    project = create_project(studio, title="Spans", config=find_template("spans").config, data=TEXT)
    run(deployment, "connect", str(project.id))

    def asked(prompt: str, told: str, *quotes: str) -> None:
        tab.ask_again(prompt)
        expect(tab.region("llm_status")).to_contain_text(told)
        assert tab.page.evaluate(HIGHLIGHTED) == list(quotes)

    tab.open(project.id, project.tasks[0])
    box = tab.page.locator("textarea[name=prompt]")
    box.fill("One.")
    box.press("Shift+Enter")
    expect(tab.page.locator(".htx-highlight")).to_have_count(2)
    asked("One. ", "Not marked a second time: 2.", "Zorvaxil", "20 mg")
    asked("Two.", "Not marked a second time: 1.", "Zorvaxil", "20 mg", "gout 🇫🇷")

    tab.page.locator(".htx-highlight", has_text="20 mg").click()
    with tab.page.expect_response(lambda reply: "/drafts" in reply.url):  # what the reload brings back
        tab.page.keyboard.press("Backspace")
    tab.open(project.id, project.tasks[0])
    expect(tab.page.locator(".htx-highlight")).to_have_count(2)
    asked("One.", "Not marked a second time: 2.", "Zorvaxil", "gout 🇫🇷")
    tab.page.screenshot(path=tmp_path / "once.png", animations="disabled")
    tab.submit()

    (task,) = list(client.tasks.list(project=project.id, fields="all"))
    (annotation,) = task.annotations
    stored = [region["value"]["text"] for region in annotation["result"] if region["type"] == "labels"]
    assert sorted(stored) == ["Zorvaxil", "gout 🇫🇷"]


@pytest.mark.browser
def test_after_a_reset_to_what_a_task_was_opened_with_a_span_is_given_again(
    tab: LabelingPage, client: Client, studio: LabelStudioClient, deployed, run, model: ScriptedModel, tmp_path: Path
) -> None:
    model.replies = SPANS | {"Prepared.": SPANS["One."]}
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL, DEFAULT_PROMPT="Prepared.")
    project = create_project(studio, title="Reset", config=find_template("spans").config, data=TEXT)
    run(deployment, "connect", str(project.id))
    marks = tab.page.locator(".htx-highlight")
    tab.open_predicted(project.id, project.tasks[0])
    expect(marks).to_have_text(["Zorvaxil", "20 mg"])
    tab.ask_again("Two.")
    expect(marks).to_have_text(["Zorvaxil", "20 mg", "gout 🇫🇷"])
    tab.ask_again("Two. ")
    expect(tab.region("llm_status")).to_contain_text("Not marked a second time: 2.")
    expect(marks).to_have_count(3)

    tab.page.get_by_label("Reset").click()
    expect(marks).to_have_count(2)
    expect(tab.region("prompt")).to_have_text("Prepared.")
    tab.ask_again("Two. ")
    expect(marks).to_have_text(["Zorvaxil", "20 mg", "gout 🇫🇷"])
    expect(tab.region("prompt")).to_have_text("Two.")
    expect(tab.region("llm_status")).to_contain_text("Not marked a second time: 1.")
    tab.page.screenshot(path=tmp_path / "reset.png", animations="disabled")
    tab.submit()

    (task,) = list(client.tasks.list(project=project.id, fields="all"))
    (annotation,) = task.annotations
    assert [region["type"] for region in annotation["result"]] == ["textarea", *["labels"] * 3]
