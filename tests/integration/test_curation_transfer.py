"""`annotune curate questions` against a double of Label Studio over HTTP, on a real Redis."""

import json
import os
import random
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from label_studio_double import LabelStudioDouble, region
from services import annotune_command

from annotune.project_options import ProjectOptions
from annotune.settings import Settings
from annotune.store.store import Store
from commands.main import annotune
from curation.templates import find_template

ROOT = Path(__file__).resolve().parents[2]
ARTICLE = ROOT / "tests" / "data" / "article"
FROM, TO = 5, 6
LISTED, KILLS = 120, 3
DOSES = [
    "What is the usual starting dose of captopril in adults with severe heart failure?",
    "What is the usual starting dose of enalapril in adults with severe heart failure?",
]
LISTS = [
    "1. What causes gout?\n2. How is gout treated?",
    "What are the signs of measles?\nHow is gout treated?",
    "{}\n{}".format(*DOSES),
]
QUESTIONS = [
    "What causes gout?",
    "How is gout treated?",
    "What are the signs of measles?",
    *DOSES,
]
Curate = Callable[..., Result]


def fill(double: LabelStudioDouble, questions: str, answers: str) -> None:
    """Project FROM with three accepted lists and a skipped task, and the empty project TO."""
    double.add_project(FROM, questions=4, config=questions)
    double.add_project(TO, config=answers)
    for number, task in enumerate(double.projects[FROM]):
        task["data"] = {"abstract_id": 900 + number, "text": f"Text {number}."}
    for number, text in enumerate(LISTS):
        double.submit(FROM, number, text)
    double.submit(FROM, 3, "", skipped=True)


TEMPLATES = (find_template("questions").config, find_template("answers").config)
BY_HAND = ((ARTICLE / "project2.xml").read_text(), (ARTICLE / "project3.xml").read_text())


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    fill(double, *TEMPLATES)
    return double


@pytest.fixture
def environment(double: LabelStudioDouble, redis_url: str, store: Store) -> dict[str, str]:
    return {"LABEL_STUDIO_URL": double.url, "LABEL_STUDIO_API_KEY": "legacy", "REDIS_URL": redis_url}


@pytest.fixture
def curate(environment: dict[str, str]) -> Curate:
    def invoke(*arguments: object) -> Result:
        command = ["curate", "questions", str(FROM), str(TO), *map(str, arguments)]
        return CliRunner().invoke(annotune, command, env=environment)

    return invoke


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)
    return found


def asked(studio: LabelStudioDouble, field: str = "question") -> list[str]:
    return [task["data"][field] for task in studio.projects[TO]]


def correct(studio: LabelStudioDouble, number: int, text: str) -> None:
    """What a person does who corrects the accepted list of a task."""
    [annotation] = studio.projects[FROM][number]["annotations"]
    annotation["result"] = [region("prompt", "Answer."), region("response", text)]


def draft(studio: LabelStudioDouble, number: int) -> None:
    studio.projects[TO][number].setdefault("predictions", []).append(
        {"id": 70 + number, "result": [], "model_version": "m", "created_at": "2026-11-23T12:00:00Z"}
    )


# Moving


def test_each_question_becomes_a_task_that_says_where_it_is_from(curate, studio) -> None:
    result = curate()

    assert "project 5: 3 accepted lists; project 6: 5 questions moved, 0 there already, 0 updated" in result.stdout
    assert "dropped: 1 doubled" in result.stdout
    assert "annotations left out: 1 skipped" in result.stdout
    assert asked(studio) == QUESTIONS
    assert studio.projects[TO][2]["data"] == {
        "question": "What are the signs of measles?",
        "source_text": "Text 1.",
        "abstract_id": 901,
        "source_project": FROM,
        "source_task": 5001,
        "source_annotation": 2,
    }


def test_projects_made_by_hand_are_taken_too(curate, double) -> None:
    fill(double, *BY_HAND)

    assert told(curate("--json"))["moved"] == 5
    assert asked(double, "text") == QUESTIONS
    assert double.projects[TO][0]["data"]["source_text"] == "Text 0."


def test_run_again_it_changes_nothing_and_says_so(curate, studio) -> None:
    curate()
    before = json.dumps(studio.projects[TO])

    again = curate()

    assert "0 questions moved, 5 there already, 0 updated" in again.stdout
    assert "nothing to do" in again.stdout
    assert json.dumps(studio.projects[TO]) == before


def test_only_what_is_new_is_moved(curate, studio) -> None:
    curate()
    studio.projects[FROM][3]["annotations"] = []
    studio.submit(FROM, 3, "What is asthma?\nWhat causes gout?")

    found = told(curate("--json"))

    assert (found["moved"], found["there"], found["dropped"]) == (1, 5, {"doubled": 2})
    assert asked(studio) == [*QUESTIONS, "What is asthma?"]
    assert {double["question"]: double["task"] for double in found["doubles"]} == {
        "How is gout treated?": studio.projects[TO][1]["id"],
        "What causes gout?": studio.projects[TO][0]["id"],
    }


def test_a_dry_run_tells_the_same_and_changes_nothing(curate, studio) -> None:
    result = curate("--dry-run")

    assert "5 questions would be moved" in result.stdout
    assert studio.projects[TO] == []
    assert told(curate("--dry-run", "--json"))["moved_tasks"] == []


def test_a_question_that_somebody_asked_in_the_other_project_is_a_double_too(curate, studio) -> None:
    studio.projects[TO].append(
        {"id": 6500, "data": {"question": "what causes GOUT"}, "annotations": [], "predictions": []}
    )

    assert told(curate("--json"))["dropped"] == {"doubled": 2}


def test_near_doubles_go_and_those_that_differ_in_a_rare_word_stay(curate, studio) -> None:
    near = "What is the usual starting dose of captopril in adults with severe heart failure, please?"
    correct(studio, 1, near)

    found = told(curate("--json"))

    assert asked(studio) == [*QUESTIONS[:2], near, QUESTIONS[4]]
    assert (found["dropped"], found["doubles"][0]["like"]) == ({"near-doubled": 1}, near)


# What changes later


def test_a_corrected_question_updates_its_task_and_its_prediction_goes(curate, studio) -> None:
    curate()
    for number in range(5):
        draft(studio, number)
    correct(studio, 0, "1. What causes gout in adults?\n2. How is gout treated?")

    found = told(curate("--json"))

    assert (found["moved"], found["updated"], found["concerned"]) == (0, 1, [])
    assert asked(studio)[:2] == ["What causes gout in adults?", "How is gout treated?"]
    assert [len(task) for task in studio.predictions(TO)] == [0, 1, 1, 1, 1]
    assert told(curate("--json"))["updated"] == 0


def test_a_corrected_text_updates_the_tasks_of_its_questions(curate, studio) -> None:
    curate()
    draft(studio, 0)
    studio.projects[FROM][0]["data"]["text"] = "Text 0, corrected."

    assert told(curate("--json"))["updated"] == 2
    assert [task["data"]["source_text"] for task in studio.projects[TO][:3]] == ["Text 0, corrected."] * 2 + ["Text 1."]
    assert studio.predictions(TO)[0] == []


@pytest.mark.parametrize(
    ("project", "template", "said"),
    [
        (FROM, "medchat", "project 5 was made from the template 'medchat', whose answers are no lists of questions"),
        (TO, "questions", "project 6 was made from the template 'questions', whose tasks are texts"),
    ],
)
def test_a_project_of_another_template_is_refused(curate, studio, store: Store, project, template, said) -> None:
    store.options.set(project, ProjectOptions(template=template, fills=("response",)))

    result = curate()

    assert (result.exit_code, len(result.output.strip().splitlines())) == (2, 1)
    assert said in result.output
    assert studio.projects[TO] == []


def test_projects_of_copied_templates_are_taken(curate, studio, store: Store) -> None:
    store.options.set(FROM, ProjectOptions(template="clauses", fills=("response",)))
    store.options.set(TO, ProjectOptions(template="duties", fills=("response",)))

    curate()

    assert asked(studio) == QUESTIONS


def test_a_list_that_was_accepted_with_faults_marked_in_it_is_not_moved(curate, studio) -> None:
    faults = {"id": "f", "from_name": "faults", "to_name": "text", "type": "choices", "value": {"choices": ["Wrong"]}}
    untouched, corrected = (studio.projects[FROM][number]["annotations"][0]["result"] for number in (0, 1))
    untouched[1]["origin"] = "prediction"
    untouched.append(faults)
    corrected.append(faults)

    result = curate()

    assert "1 faulty, 1 skipped" in result.stdout
    assert asked(studio) == ["What are the signs of measles?", "How is gout treated?", *DOSES]


@pytest.mark.parametrize("begun", ["annotation", "skipped", "draft"])
def test_a_task_that_somebody_began_with_is_for_a_person(curate, studio, begun: str) -> None:
    curate()
    draft(studio, 0)
    if begun == "draft":
        studio.projects[TO][0]["drafts"] = [{"id": 1}]
    else:
        studio.submit(TO, 0, "Uric acid.", skipped=begun == "skipped")
    correct(studio, 0, "1. What causes gout in adults?\n2. How is gout treated?")

    result = curate()

    task = studio.projects[TO][0]
    assert (task["data"]["question"], len(task["predictions"])) == ("What causes gout?", 1)
    assert f"for a person: task {task['id']} (of task 5000): its source was corrected" in result.stderr
    assert "'What causes gout in adults?'" in result.stderr
    assert f"{studio.url}/projects/6/data?task={task['id']}" in result.stderr
    assert "0 questions moved, 4 there already, 0 updated" in result.stdout
    assert curate().stderr == result.stderr


def test_a_question_that_is_gone_and_an_annotation_that_was_deleted_are_listed(curate, studio) -> None:
    curate()
    correct(studio, 0, "How is gout treated?\nWho gets asthma at night?")
    studio.projects[FROM][1]["annotations"] = []

    found = told(curate("--json"))

    assert [(each["task"] - studio.projects[TO][0]["id"], each["concern"]) for each in found["concerned"]] == [
        (0, "gone"),
        (2, "deleted"),
    ]
    assert (found["moved"], asked(studio)) == (1, [*QUESTIONS, "Who gets asthma at night?"])


def test_a_correction_that_asks_what_another_task_asks_is_for_a_person(curate, studio) -> None:
    curate()
    correct(studio, 2, LISTS[2].replace("captopril", "enalapril"))

    [concerned] = told(curate("--json"))["concerned"]

    assert concerned["task"] == studio.projects[TO][3]["id"]
    assert asked(studio) == QUESTIONS


def test_another_annotation_with_the_same_list_is_noted(curate, studio) -> None:
    curate()
    draft(studio, 0)
    later = studio.submit(FROM, 0, LISTS[0])

    assert told(curate("--json"))["concerned"] == []
    assert [task["data"]["source_annotation"] for task in studio.projects[TO][:2]] == [later, later]
    assert len(studio.predictions(TO)[0]) == 1


# Projects that do not fit


@pytest.mark.parametrize(
    ("questions", "answers", "said"),
    [
        (TEMPLATES[0], find_template("medchat").config, "project 6 shows 'answer', which the tasks"),
        (find_template("classification").config, TEMPLATES[1], "project 5 is no project of questions"),
        (TEMPLATES[0], find_template("image").config, "questions go to a project that labels one Text"),
        (TEMPLATES[0], TEMPLATES[1].replace("$question", "$source_text"), "name the field of its question otherwise"),
    ],
)
def test_projects_that_do_not_fit_are_told_in_a_sentence(curate, double, questions, answers, said) -> None:
    fill(double, questions, answers)

    result = curate()

    assert (result.exit_code, said in result.stderr, double.projects[TO]) == (2, True, []), result.stderr


def test_a_project_that_is_not_there_and_one_that_is_the_same_are_told(environment, studio) -> None:
    for arguments, code, said in ((["9", "6"], 1, "no project 9"), (["5", "5"], 2, "cannot be filled from itself")):
        result = CliRunner().invoke(annotune, ["curate", "questions", *arguments], env=environment)

        assert (result.exit_code, said in result.stderr) == (code, True), result.stderr


# Killed


def killed_at(request: int, studio: LabelStudioDouble, environment: dict[str, str]) -> int:
    """Run the command in a process that is killed when its request number `request` has come; its exit code."""
    unset = {name.upper(): "" for name in Settings.model_fields}
    running, came = threading.Event(), []

    def count() -> None:
        running.wait(10)
        came.append(1)
        if len(came) == request:
            process.kill()

    studio.delay = count
    command = [*annotune_command(), "curate", "questions", str(FROM), str(TO)]
    process = subprocess.Popen(command, env={**os.environ, **unset, **environment}, cwd=ROOT)
    running.set()
    return process.wait()


def test_killed_at_random_moments_and_run_again_it_is_complete_without_doubles(studio, environment, store) -> None:
    studio.add_project(FROM, questions=LISTED, config=TEMPLATES[0])
    words = [
        "gout",
        "measles",
        "asthma",
        "captopril",
        "enalapril",
        "insulin",
        "sepsis",
        "anaemia",
        "scabies",
        "malaria",
    ]
    for number in range(LISTED):
        studio.projects[FROM][number]["data"] = {"text": f"Text {number}."}
        lines = [f"{line}. Does {word} number {number} need the treatment {line}?" for line, word in enumerate(words)]
        studio.submit(FROM, number, "\n".join(lines))
    chance = random.Random(7)  # noqa: S311 - when to kill
    killed = 0
    for _ in range(KILLS):
        killed += killed_at(chance.randrange(4, 10), studio, environment) != 0
        store.leases.release(TO, "tasks", store.leases.holder(TO, "tasks"))  # as its expiry does, 30 s later
    studio.delay = lambda: None

    result = CliRunner().invoke(annotune, ["curate", "questions", str(FROM), str(TO)], env=environment)

    assert (result.exit_code, killed > 0) == (0, True), result.output
    questions = asked(studio)
    assert (len(questions), len(set(questions))) == (10 * LISTED, 10 * LISTED)
