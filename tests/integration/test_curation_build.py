"""Datasets, built from a double of Label Studio over HTTP and a real Redis."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble

from annotune.errors import LabelStudioError, NotFound, PromptMissing, RequestInvalid
from annotune.project_options import ProjectOptions
from annotune.prompt import ProjectPrompt
from annotune.question import Question
from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.split import text_sha
from annotune.store.store import Store
from curation import build as build_module
from curation.api import Annotune
from curation.build import BuiltDataset
from curation.dataset_folder import DatasetFolder
from curation.manifest import AlikePair, read_manifest
from curation.templates import find_template

ANSWERS = """<View><Text name="question" value="$question"/><Text name="source" value="$source_text"/>
<TextArea name="prompt" toName="question"/><TextArea name="response" toName="question" smart="false"/></View>"""
ASKING = """<View><Text name="chat" value="$text"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" smart="false"/></View>"""
CHOICES = """<View><Text name="chat" value="$text"/><Choices name="kind" toName="chat"><Choice value="a"/><Choice value="b"/>
</Choices></View>"""
SOURCE = "Sixty-four walkers took metformin; HbA1c fell from 7.9 to 7.3 percent within twelve weeks."
LONG = (
    "In a patient who has been on the ward for two weeks, what is the recommended starting dose of {} for adults with a"
    " urinary infection and normal renal function, and how long should it be given in all?"
)
AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)


class Desk:
    """A deployment with projects whose tasks are all answered."""

    def __init__(self, annotune: Annotune, studio: LabelStudioDouble, store: Store, folder: Path) -> None:
        self.annotune, self.studio, self.store, self.folder = annotune, studio, store, folder

    def add(self, project: int, *questions: str, config: str = ANSWERS, prompt: str = "Answer.", **data: str) -> None:
        """A project with a prompt, and tasks that are answered under it."""
        self.studio.add_project(project, questions=len(questions), config=config)
        for task, question in zip(self.studio.projects[project], questions, strict=True):
            task["data"] = {"question": question, "text": question, **data}
        self.studio.submit_all(project)
        self.set_prompt(project, prompt)

    def set_prompt(self, project: int, text: str, system: str = "") -> None:
        self.store.prompts.add(project, ProjectPrompt(text=text, source="command", at=AT), over_pin=True)
        if system:
            self.store.prompts.set_system(project, system)

    def build(self, *projects: int, **options: Any) -> BuiltDataset:
        return self.annotune.build_dataset(*projects, out=self.folder, **options)

    def rows(self, side: str = "") -> list[dict[str, Any]]:
        names = [side] if side else ["train", "eval"]
        texts = [(self.folder / f"{name}.jsonl").read_text(encoding="utf-8") for name in names]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def side(self, question: str) -> str | None:
        """The side of the only row of a question; None if no row has it."""
        found = [side for side in ("train", "eval") for row in self.rows(side) if row["question"] == question]
        assert len(found) < 2
        return found[0] if found else None

    def record(self, project: int, question: str, side: Any) -> None:
        self.store.splits.restore(project, {text_sha(question): side}, emptied=False)


@pytest.fixture
def desk(
    double: LabelStudioDouble, store: Store, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    settings = Settings(
        label_studio_url=double.url,
        label_studio_api_key="legacy",
        redis_url=redis_url,
        openai_model="small",
        system_prompt="Be exact.",
        runs_dir=tmp_path / "runs",
    )
    with Annotune(settings) as annotune:
        yield Desk(annotune, double, store, tmp_path / "set")


def questions(count: int, topic: str = "sign") -> list[str]:
    return [f"Which {topic} number {number} is it?" for number in range(count)]


def test_no_word_of_the_source_text_is_in_a_closed_book_chat(desk: Desk) -> None:
    desk.add(3, *questions(20), source_text=SOURCE, abstract_id="a1")
    desk.set_prompt(4, "Say it in plain words:\n{text}")
    desk.studio.add_project(4, config=ASKING)

    built = desk.build(3, prompt=4)

    chats = json.dumps([row["messages"] for row in desk.rows()]).lower()
    words = {word.strip(".;,").lower() for word in SOURCE.split()}
    asked = {word.lower() for word in f"Be exact Say it in plain words: {questions(1)[0]}".split()}
    assert [word for word in words - asked if len(word) > 3 and word in chats] == []
    assert built.manifest.open_book is False
    assert {row["abstract_id"] for row in desk.rows()} == {"a1"}


def test_a_closed_book_chat_is_what_the_served_project_asks(desk: Desk) -> None:
    desk.add(3, *questions(3), "Odd {text} and {question}\n\n  blanks ", source_text=SOURCE)
    desk.set_prompt(4, "First {labels}. {text} Then answer: {text}", system="You know\nmedicine.")
    desk.studio.add_project(4, questions=1, config=ASKING)

    built = desk.build(3, prompt=4)

    context = desk.annotune.context
    serving = ServingResolver(context.settings, context.store).resolve(4)
    labeling = context.labeling(ASKING, 4)
    for row in desk.rows():
        served = Question(labeling, serving.required_prompt(4), {"text": row["question"]}).messages
        assert row["messages"] == [message.as_dict() for message in served]
        assert row["origin"]["prompt_sha"] == serving.required_prompt(4).sha
    assert len(desk.rows()) == 4
    (prompt,) = built.manifest.prompts
    assert (prompt.text, prompt.system, prompt.rows) == (serving.required_prompt(4).text, "You know\nmedicine.", 4)
    assert [each.text for each in built.manifest.answered] == ["Answer."]


def test_the_projects_own_prompt_asks_if_it_needs_the_question_alone(desk: Desk) -> None:
    desk.add(3, *questions(2), prompt="Answer {question} briefly.", source_text=SOURCE)

    desk.build(3)

    assert desk.rows()[0]["messages"] == [
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": "Answer Which sign number 0 is it? briefly."},
    ]


def test_a_prompt_that_places_the_source_text_cannot_ask_the_question_alone(desk: Desk, tmp_path: Path) -> None:
    desk.add(3, *questions(2), prompt="By {source_text}: {question}", source_text=SOURCE)
    desk.add(4, "x", prompt="By {source_text}")
    file = tmp_path / "prompt.txt"
    file.write_text("By {source_text}")

    with pytest.raises(RequestInvalid, match=r"prompt of project 3 places \{source_text\}.*--prompt"):
        desk.build(3)
    with pytest.raises(RequestInvalid, match=r"prompt of project 4 places \{source_text\}"):
        desk.build(3, prompt=4)
    with pytest.raises(RequestInvalid, match=r"prompt.txt' places \{source_text\}"):
        desk.build(3, prompt=file)
    assert not desk.folder.exists()


def test_the_template_says_which_prompt_is_served(desk: Desk) -> None:
    desk.add(3, *questions(2), prompt="By {source_text}: {question}", source_text=SOURCE)
    desk.store.options.set(3, ProjectOptions(template="answers", served=find_template("answers").served))

    built = desk.build(3)

    served = find_template("answers").served.replace("{question}", "Which sign number 0 is it?")
    assert desk.rows()[0]["messages"][-1]["content"] == served
    assert built.manifest.projects[0].template == "answers"
    desk.store.options.set(3, ProjectOptions(template="one-without-it"))
    with pytest.raises(RequestInvalid, match=r"places \{source_text\}"):
        desk.build(3)


def test_names_are_in_the_rows_only_if_asked_for(desk: Desk) -> None:
    desk.add(3, *questions(2))
    desk.studio.projects[3][1]["annotations"][0]["completed_by"] = 2

    desk.build(3)
    assert "annotator_name" not in desk.rows()[0]["origin"]
    desk.build(3, names=True)

    assert [row["origin"]["annotator_name"] for row in desk.rows()] == ["admin@localhost.com", "Ada Byron"]
    assert "name: annotator_name" in (desk.folder / "README.md").read_text()


def test_a_file_gives_the_prompt(desk: Desk, tmp_path: Path) -> None:
    desk.add(3, *questions(2), source_text=SOURCE)
    file = tmp_path / "prompt.txt"
    file.write_text("Say {question}\n")

    desk.build(3, prompt=file)

    assert desk.rows()[1]["messages"][-1] == {"role": "user", "content": "Say Which sign number 1 is it?"}
    file.write_text(" \n")
    with pytest.raises(PromptMissing, match="is empty"):
        desk.build(3, prompt=file)
    with pytest.raises(RequestInvalid, match="cannot be read: No such file"):
        desk.build(3, prompt=tmp_path / "nothing.txt")


def test_an_open_book_keeps_the_source_text(desk: Desk) -> None:
    desk.add(3, *questions(2), prompt="By {source_text}: {question}", source_text=SOURCE)
    for task in desk.studio.projects[3]:
        task["annotations"][0]["result"][0]["value"]["text"] = ["By {source_text}: {question}"]

    asked = desk.build(3, open_book=True)
    own = desk.rows()
    desk.build(3, prompt=3, open_book=True)

    assert own[0]["messages"][-1]["content"] == f"By {SOURCE}: Which sign number 0 is it?"
    assert [row["messages"] for row in desk.rows()] == [row["messages"] for row in own]
    assert asked.manifest.open_book
    assert [(each.text, each.rows) for each in asked.manifest.prompts] == [("By {source_text}: {question}", 2)]


@pytest.mark.parametrize(
    ("config", "match"),
    [(CHOICES, "cannot ask these questions"), (ANSWERS, None)],
    ids=["another form", "a fitting one"],
)
def test_the_served_project_must_ask_for_the_same_form(desk: Desk, config: str, match: str | None) -> None:
    desk.add(3, *questions(2))
    desk.studio.add_project(4, config=config)
    desk.set_prompt(4, "Answer well.")

    if match is None:
        assert desk.build(3, prompt=4).is_new
    else:
        with pytest.raises(RequestInvalid, match=match):
            desk.build(3, prompt=4)


def test_again_nothing_changes(desk: Desk) -> None:
    desk.add(3, *questions(30), LONG.format("cefixime"), LONG.format("cefuroxime"))
    desk.studio.submit(3, 0, "", skipped=True)

    first = desk.build(3, licence="cc-by-4.0")
    before = {path.name: (path.read_bytes(), path.stat().st_ino) for path in desk.folder.iterdir()}
    again = desk.build(3, licence="cc-by-4.0")

    assert (first.is_new, again.is_new) == (True, False)
    assert again.manifest == first.manifest == read_manifest(desk.folder)
    assert {path.name: (path.read_bytes(), path.stat().st_ino) for path in desk.folder.iterdir()} == before
    (similar,) = again.manifest.similar
    assert similar.differs == ("cefixime", "cefuroxime")
    assert again.manifest.left_out == {"skipped": 1}
    assert len(again.manifest.left_out_annotations["skipped"]) == 1


def test_more_work_is_added_and_no_row_changes_its_side(desk: Desk) -> None:
    desk.add(3, *questions(40))
    desk.build(3)
    before = {row["id"]: side for side in ("train", "eval") for row in desk.rows(side)}
    for number in range(40, 80):
        task = {"id": 3000 + number, "data": {"question": f"Which sign number {number} is it?"}}
        desk.studio.projects[3].append(task | {"annotations": [], "predictions": []})
        desk.studio.submit(3, number, "Yes.")

    built = desk.build(3)

    after = {row["id"]: side for side in ("train", "eval") for row in desk.rows(side)}
    assert built.is_new
    assert len(after) == 80
    assert {number: after[number] for number in before} == before


def test_questions_about_one_text_are_on_one_side(desk: Desk) -> None:
    desk.add(3, *questions(60))
    for number, task in enumerate(desk.studio.projects[3]):
        task["data"]["source_text"] = f"Text {number // 3}"

    desk.build(3)

    sides: dict[int, set[str]] = {}
    for side in ("train", "eval"):
        for row in desk.rows(side):
            sides.setdefault((row["origin"]["task"] - 3000) // 3, set()).add(side)
    assert {len(found) for found in sides.values()} == {1}
    assert desk.rows("eval")
    assert desk.rows("train")


def test_near_duplicates_of_one_project_share_a_side(desk: Desk) -> None:
    pairs = [LONG.format(f"cefixime brand {letter}") for letter in "abcdefghijklmnopqrst"]
    desk.add(3, *pairs, *(text.replace("in all?", "in all, please?") for text in pairs))

    built = desk.build(3)

    numbers = [{row["origin"]["task"] % 20 for row in desk.rows(side)} for side in ("train", "eval")]
    assert numbers[0] & numbers[1] == set()
    assert all(numbers)
    assert (len(desk.rows()), built.manifest.left_out) == (40, {})


def test_a_training_row_near_a_held_out_one_leaves(desk: Desk) -> None:
    first, second = LONG.format("cefixime"), LONG.format("cefixime").upper() + " "
    desk.add(3, *questions(20), first)
    desk.add(4, *questions(20, "dose"), second)
    desk.record(3, first, "eval")
    desk.record(4, second.replace(" IN ", "  in "), "train")

    built = desk.build(3, 4)
    again = desk.build(3, 4)

    assert (desk.side(first), desk.side(second)) == ("eval", None)
    assert built.manifest.left_out == {"near held out": 1}
    held, left = (desk.studio.projects[number][20]["annotations"][0]["id"] for number in (3, 4))
    assert built.manifest.left_out_annotations == {"near held out": (left,)}
    assert built.manifest.near_held_out == (AlikePair(first=left, second=held, similarity=1.0),)
    assert not again.is_new


@pytest.mark.parametrize("pin_ground_truth", [False, True])
def test_what_is_near_to_what_has_trained_is_never_held_out(desk: Desk, pin_ground_truth: bool) -> None:
    trained = [LONG.format(f"cefixime brand {letter}") for letter in "abcdefghijklmnopqrst"]
    near = [text.replace("in all?", "in all, please?") for text in trained]
    desk.add(3, *questions(20), *trained)
    desk.add(4, *questions(20, "dose"), *near)
    for text in trained:
        desk.record(3, text, "train")
    for task in desk.studio.projects[4]:
        task["annotations"][0]["ground_truth"] = True

    desk.build(4, 3, pin_ground_truth=pin_ground_truth)

    assert {desk.side(text) for text in near} == {"train"}
    assert {desk.store.splits.all(4)[text_sha(text)] for text in near} == {"train"}
    assert ({desk.side(text) for text in questions(20, "dose")} == {"eval"}) is pin_ground_truth


def test_a_ground_truth_that_has_trained_is_not_held_out(desk: Desk) -> None:
    desk.add(3, *questions(30))
    for task in desk.studio.projects[3]:
        task["annotations"][0]["ground_truth"] = True
    desk.record(3, questions(1)[0], "train")

    desk.build(3, pin_ground_truth=True)

    assert [row["question"] for row in desk.rows("train")] == questions(1)


def test_the_sides_that_a_project_has_recorded_hold(desk: Desk) -> None:
    desk.add(3, *questions(40))
    for number, question in enumerate(questions(40)):
        desk.record(3, question, "eval" if number % 2 else "train")

    desk.build(3)

    assert [row["question"] for row in desk.rows("eval")] == questions(40)[1::2]


def test_too_few_annotations_are_not_divided_yet(desk: Desk) -> None:
    desk.add(3, *questions(4))

    built = desk.build(3)

    assert built.manifest.counts == {"train": 4, "eval": 0}
    assert "submit 11 more" in built.lacks[3]
    assert desk.store.splits.all(3) == {}


def test_what_cannot_be_used_is_counted_and_a_dataset_of_nothing_is_refused(desk: Desk) -> None:
    desk.add(3, *questions(1))
    desk.studio.projects[3][0]["annotations"][0]["was_cancelled"] = True

    with pytest.raises(RequestInvalid, match=r"no annotation is usable.*1 skipped"):
        desk.build(3)
    with pytest.raises(RequestInvalid, match="name each project once"):
        desk.build(3, 3)
    with pytest.raises(NotFound, match="project 77"):
        desk.build(77)


def test_a_build_that_fails_leaves_the_old_dataset(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add(3, *questions(20))
    desk.build(3)
    before = desk.rows()
    desk.studio.submit(3, 0, "Another answer")

    desk.studio.refusal = (500, {"detail": "broken"})
    with pytest.raises(LabelStudioError):
        desk.build(3)
    desk.studio.refusal = None
    with monkeypatch.context() as patch:
        patch.setattr(DatasetFolder, "replace_by", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            desk.build(3)
    assert desk.rows() == before

    assert desk.build(3).is_new
    assert [row["answer"] for row in desk.rows() if row["origin"]["task"] == 3000] == ["Another answer"]


def test_projects_stand_in_the_order_in_which_they_are_named(desk: Desk) -> None:
    desk.add(3, *questions(2))
    desk.add(4, *questions(2, "dose"))

    desk.build(4, 3)

    assert [row["origin"]["project"] for row in desk.rows()] == [4, 4, 3, 3]
    assert [each.project for each in read_manifest(desk.folder).projects] == [4, 3]


def test_the_manifest_counts_kinds_models_and_tasks_are_told(desk: Desk) -> None:
    desk.add(3, *questions(3))
    for number, task in enumerate(desk.studio.projects[3][:2]):
        text = ["Answer 0", "Answer one"][number]
        regions = [dict(region) for region in task["annotations"][0]["result"]]
        regions[1] = regions[1] | {"value": {"text": [text]}}
        task["predictions"] = [{"id": 90 + number, "result": regions, "model_version": "small@1234"}]
        task["annotations"][0]["parent_prediction"] = 90 + number
    told: list[int] = []

    built = desk.build(3, on_tasks=told.append)

    assert built.manifest.models == {"small@1234": 2}
    assert built.manifest.kinds == {"accepted": 1, "corrected": 1, "typed": 1}
    assert told == [1, 2, 3]
    assert build_module.NEAR_HELD_OUT not in built.manifest.left_out
