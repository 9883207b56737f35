"""The templates of projects: what is wrong in one is said, and what we ship has one look, one order and one way to ask."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from annotune.deadline import Deadline
from annotune.errors import ConfigurationError, NotFound
from annotune.images import ImageFetcher
from annotune.labeling.config import Labeling
from annotune.prompt import Prompt, unknown_placeholders
from annotune.question import Question
from annotune.settings import Settings
from curation.templates import PROJECTS, Template, find_template, templates

ALL = {template.name: template for template in templates()}
ASKED = [name for name, template in ALL.items() if template.fills]
OBJECTS = ("Text", "Paragraphs", "Image")
CONTROLS = ("TextArea", "Choices", "Labels", "Rating")


def tags(name: str) -> list[Element]:
    return list(fromstring(ALL[name].config).iter())


def labeling(name: str) -> Labeling:
    return Labeling.parse(ALL[name].config, only=ALL[name].fills)


def messages(template: Template, prompt: str, data: dict[str, Any]) -> list[str]:
    """What a model is told."""
    parsed = Labeling.parse(template.config, only=template.fills)
    asked = Question(parsed, Prompt(prompt, Settings().template, template.system or ""), data)
    return [message.content for message in asked.messages]


def styled(name: str, classes: str) -> Element:
    (view,) = [
        tag for tag in tags(name) if classes in {tag.get("className"), (tag.get("className") or "").partition(" ")[0]}
    ]
    return view


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with a copy of one template."""
    shutil.copytree(PROJECTS / "questions", tmp_path / "contracts")
    return tmp_path


# One template


def test_a_template_is_read_from_its_folder() -> None:
    found = find_template("answers")

    assert (found.name, found.fills, found.folder) == ("answers", ("response",), PROJECTS / "answers")
    assert "{source_text}" in found.prompt
    assert found.served
    assert "{source_text}" not in found.served
    assert len(found.sample_tasks()) >= 3


def test_a_template_of_another_folder_is_found_there_and_by_its_own_folder(copied: Path) -> None:
    assert find_template("contracts", copied) == find_template("contracts", copied / "contracts")
    assert [template.name for template in templates(copied)] == ["contracts"]


def test_an_unknown_template_is_refused_with_the_names_that_there_are(copied: Path) -> None:
    with pytest.raises(NotFound, match=r"^no template 'nonsense': choose one of answers, classification, .*spans$"):
        find_template("nonsense")
    with pytest.raises(NotFound, match=r"^no template 'answers' in '.*': choose one of contracts$"):
        find_template("answers", copied)
    with pytest.raises(NotFound, match=r"no template '\.\./projects/answers'"):
        find_template("../projects/answers")


def test_a_folder_without_templates_is_refused_and_so_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"a template is a folder that has a file 'project.toml'$"):
        find_template("contracts", tmp_path)
    with pytest.raises(NotFound, match=r"no folder '.*nowhere'"):
        find_template("contracts", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("project.toml", "title = ", "is no TOML"),
        ("project.toml", 'title = "Contracts"\ndescription = "."', r"wrong at 'fills': Field required"),
        (
            "project.toml",
            'title = "C"\ndescription = "."\nfills = []',
            "wrong at 'title': String should have at least 3",
        ),
        (
            "project.toml",
            'title = "Contracts"\ndescription = "."\nfills = []\nfill = 1',
            "wrong at 'fill': Extra inputs",
        ),
        (
            "project.toml",
            'title = "Contracts"\ndescription = "."\nfills = ["answer"]',
            r"no control 'answer', which 'project.toml' names in 'fills': its controls are llm_status, prompt, response$",
        ),
        ("labeling.xml", "<View>", r"labeling.xml' is wrong: the labeling config is no valid XML"),
        ("prompt.txt", None, r"lacks the file '.*prompt.txt': No such file"),
        ("labeling.xml", None, r"lacks the file '.*labeling.xml'"),
    ],
)
def test_what_is_wrong_in_a_template_is_said_with_the_file(
    copied: Path, file: str, text: str | None, said: str
) -> None:
    path = copied / "contracts" / file
    path.unlink()
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigurationError, match=said):
        find_template("contracts", copied)


def test_a_file_in_another_encoding_is_refused(copied: Path) -> None:
    (copied / "contracts" / "prompt.txt").write_bytes("Prüfe.".encode("latin-1"))

    with pytest.raises(ConfigurationError, match=r"prompt.txt' is not in UTF-8"):
        find_template("contracts", copied)


@pytest.mark.parametrize("text", ["[", '{"text": "x"}', '["x"]'])
def test_sample_tasks_that_are_no_list_of_objects_are_refused(copied: Path, text: str) -> None:
    (copied / "contracts" / "tasks.json").write_text(text)

    with pytest.raises(ConfigurationError, match=r"sample tasks '.*tasks.json' are no JSON"):
        find_template("contracts", copied).sample_tasks()


def test_a_template_without_a_system_message_leaves_it_to_the_setting(copied: Path) -> None:
    (copied / "contracts" / "system.txt").write_text("\n")
    assert find_template("contracts", copied).system == ""
    (copied / "contracts" / "system.txt").unlink()
    assert find_template("contracts", copied).system is None


def rewritten(path: Path, words: Mapping[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for was, now in words.items():
        assert was in text
        text = text.replace(was, now)
    path.write_text(text, encoding="utf-8")


def test_a_field_without_medicine_is_two_copied_folders_with_other_words(tmp_path: Path) -> None:
    """The steps that docs/how-to.md gives."""
    clause = "§ 7: The tenant may end the lease at the end of each month, with three months' notice in writing."
    questions, answers = tmp_path / "clause-questions", tmp_path / "clause-answers"
    shutil.copytree(PROJECTS / "questions", questions)
    shutil.copytree(PROJECTS / "answers", answers)
    about = 'title = "Questions from clauses"\ndescription = "Questions that a clause answers."\nfills = ["response"]\n'
    (questions / "project.toml").write_text(about)
    rewritten(questions / "labeling.xml", {'value="$text"': 'value="$clause"', 'value="Text"': 'value="Clause"'})
    (questions / "prompt.txt").write_text("Write questions that this clause answers, one in a line:\n\n{clause}")
    (questions / "system.txt").write_text("You know the law of contracts.")
    (questions / "tasks.json").write_text(json.dumps([{"clause": clause}]))
    rewritten(answers / "labeling.xml", {'value="Source text"': 'value="Clause"'})
    (answers / "prompt.txt").write_text("Answer by the clause.\n\n{source_text}\n\n{question}")
    (answers / "served.txt").write_text("Answer the question about the lease.\n\n{question}")

    asking, answering = find_template("clause-questions", tmp_path), find_template("clause-answers", tmp_path)
    data = {"question": "When may the tenant leave?", "source_text": clause, "abstract_id": "7"}
    asked = messages(asking, asking.prompt, asking.sample_tasks()[0])
    answered = messages(answering, answering.prompt, data)
    served = messages(answering, answering.served, data)

    assert [template.name for template in templates(tmp_path)] == ["clause-answers", "clause-questions"]
    assert asked == [
        "You know the law of contracts.",
        f"Write questions that this clause answers, one in a line:\n\n{clause}",
    ]
    assert answered[-1] == f"Answer by the clause.\n\n{clause}\n\nWhen may the tenant leave?"
    assert served[-1] == "Answer the question about the lease.\n\nWhen may the tenant leave?"
    assert Labeling.parse(answering.config, only=answering.fills).labelled_text(data) == data["question"]


# What we ship


def test_all_configs_have_one_style() -> None:
    assert len({tag.text for name in ALL for tag in tags(name) if tag.tag == "Style"}) == 1


@pytest.mark.parametrize("name", ALL)
def test_a_template_has_a_title_and_one_sentence(name: str) -> None:
    assert ALL[name].description.endswith((".", ")."))
    assert ". " not in ALL[name].description
    assert not ALL[name].title.endswith(".")


@pytest.mark.parametrize("name", ASKED)
def test_a_config_shows_object_prompt_status_and_answer_in_this_order(name: str) -> None:
    parsed = labeling(name)
    order = [tag.get("name") or (tag.get("className") or "").partition(" ")[0] for tag in tags(name)]
    objects = [order.index(item.name) for item in parsed.objects]
    prompt, status, answer = (order.index(part) for part in ("prompt", "status", "answer"))

    assert max(objects) < prompt < status < answer
    assert [control.name for control in parsed.controls if order.index(control.name) < answer] == (
        ["label"] if name == "spans" else []  # what marks a text is needed above it
    )
    assert parsed.status_control


@pytest.mark.parametrize("name", ASKED)
def test_the_model_fills_what_the_template_says_and_nothing_else(name: str) -> None:
    assert tuple(control.name for control in labeling(name).controls) == ALL[name].fills


@pytest.mark.parametrize("name", ALL)
def test_only_a_change_of_the_prompt_asks_the_model(name: str) -> None:
    asking = [tag.get("name") for tag in tags(name) if tag.tag in CONTROLS and tag.get("smart") != "false"]

    assert asking == (["prompt"] if ALL[name].fills else [])


@pytest.mark.parametrize("name", ASKED)
def test_a_config_says_how_to_ask_and_what_to_do_with_the_answer(name: str) -> None:
    asked = " ".join(tag.get("value", "") for tag in styled(name, "hint auto").iter("Header"))
    answer = " ".join(tag.get("value", "") for tag in styled(name, "answer").iter("Header"))

    assert "Auto-Annotation" in asked
    assert "Shift+Enter" in asked
    assert "submit" in answer


@pytest.mark.parametrize("name", ALL)
def test_no_control_labels_the_reference(name: str) -> None:
    """What a control labels is told to the model."""
    shown = {tag.get("name"): tag.get("value") for tag in tags(name) if tag.tag in OBJECTS}
    labelled = {shown[tag.get("toName")] for tag in tags(name) if tag.tag in CONTROLS}

    assert not labelled & {"$answer", "$source_text", "$disagreement"}


def test_a_comparison_shows_the_model_the_question_and_both_answers() -> None:
    assert labeling("comparison").text_of({"question": "Why?", "right": "So.", "left": "Thus."}) == (
        "question:\nWhy?\n\nleft:\nThus.\n\nright:\nSo."
    )


@pytest.mark.parametrize("name", ALL)
def test_sample_tasks_hold_what_the_config_shows_and_nothing_else(name: str) -> None:
    tasks = ALL[name].sample_tasks()
    fields = {tag.get("value", "")[1:] for tag in tags(name) if tag.tag in OBJECTS}

    assert len(tasks) >= 3
    assert len({json.dumps(data) for data in tasks}) == len(tasks)
    for data in tasks:
        assert data.keys() - {"abstract_id"} == fields
        assert all(data.values()) or name == "review"  # an answer without a source, or without another annotator
        assert labeling(name).interface.validate_task({"data": data})  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", ASKED)
def test_a_model_can_be_asked_the_templates_prompt_about_every_sample_task(name: str) -> None:
    template, parsed = ALL[name], labeling(name)
    prompt = Prompt(template.prompt, Settings().template, template.system or "")
    for data in template.sample_tasks():
        asked = "\n".join(message.content for message in Question(parsed, prompt, data).messages)
        told = [data[item.field] for item in parsed.objects if isinstance(data[item.field], str) and not item.is_image]
        told += [turn["content"] for turn in data.get("talk", [])]

        assert [text for text in (*told, data.get("source_text", "")) if text not in asked] == []
        assert not unknown_placeholders(template.prompt, data)
        assert not unknown_placeholders(template.served, data)


def test_a_question_is_asked_in_the_same_words_where_a_dataset_asks_it_and_where_a_model_is_tried() -> None:
    assert (ALL["answers"].served, ALL["answers"].system) == (ALL["medchat"].prompt, ALL["medchat"].system)


def test_a_template_for_people_alone_has_no_prompt_and_no_control_of_a_model() -> None:
    people = [name for name, template in ALL.items() if not template.fills]

    assert people == ["review"]
    assert ALL["review"].prompt == ""
    assert not {"prompt", "llm_status", "response"} & {tag.get("name") for tag in tags("review")}


@pytest.mark.parametrize("name", ALL)
def test_no_config_shows_a_field_whose_name_label_studio_takes_for_the_whole_task(name: str) -> None:
    assert "$source" not in {tag.get("value") for tag in tags(name)}


def test_sample_pictures_are_in_their_tasks() -> None:
    pictures = ImageFetcher(Settings())

    assert {pictures.fetch(data["image"], Deadline.never()).media_type for data in ALL["image"].sample_tasks()} == {
        "image/png"
    }


def test_every_folder_is_a_template() -> None:
    assert sorted(ALL) == sorted(path.name for path in PROJECTS.iterdir() if path.is_dir())
    assert all(isinstance(template, Template) for template in ALL.values())
