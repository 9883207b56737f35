"""The article's way with the real Label Studio, each command twice: the second changes nothing, and says so."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from article_way import Field, Way, medicine
from scripted_model import MODEL, ScriptedModel

from annotune.label_studio.client import LabelStudioClient
from annotune.shipped import shipped
from embedded.label_studio import LabelStudio

NOTHING_NEW = ("nothing", "0 predictions pushed")


def contracts(folder: Path) -> Field:
    """Another field: two copied templates with another prompt, and texts that are contracts."""
    for name, copy in (("questions", "clauses"), ("answers", "duties")):
        shutil.copytree(shipped("projects") / name, folder / copy)
        for prompt in (folder / copy).glob("*.txt"):
            prompt.write_text(prompt.read_text(encoding="utf-8").replace("medical", "legal"), encoding="utf-8")
    texts = [
        f"Contract {number}. The tenant of house {number} pays {number + 900} euros a month." for number in range(8)
    ]

    def questions(number: int) -> list[str]:
        return [f"Who pays for house {number}?", f"How many euros does house {number} cost a month?"]

    return Field(texts, questions, "The tenant, by contract {}.", ("clauses", "duties"), folder)


@pytest.fixture
def way(
    deployed: Callable[..., object],
    run: Callable[..., str],
    model: ScriptedModel,
    label_studio: LabelStudio,
    studio: LabelStudioClient,
    tmp_path: Path,
) -> Callable[[Field], Way]:
    """`way(field)`: its way, with a model that proposes what the annotator corrects."""
    deployment = deployed(OLLAMA_ENDPOINT=model.url, OPENAI_MODEL=MODEL)

    def start(about: Field) -> Way:
        for number, text in enumerate(about.texts):
            listed = "\n".join(f"{place}. {asked}" for place, asked in enumerate(about.questions(number), 1))
            for asked in about.questions(number):
                model.replies[asked] = "I am not sure."
            model.replies[text] = listed.upper()
        return Way(partial(run, deployment), label_studio, studio, tmp_path, about)

    return start


def test_texts_become_a_dataset_and_each_command_again_changes_nothing(way: Callable[[Field], Way]) -> None:
    there = way(medicine())

    for name, command in there.commands():
        command()
        before = (dict(there.projects), there.rows() if there.out.exists() else None)
        again = command()
        assert (dict(there.projects), there.rows() if there.out.exists() else None) == before, name
        assert any(words in again.lower() for words in NOTHING_NEW), (name, again)

    there.check_complete()
    assert there.run("dataset", "check", str(there.out)) == there.run("dataset", "check", str(there.out))


def test_copied_templates_take_the_same_way_to_another_field(way: Callable[[Field], Way], tmp_path: Path) -> None:
    there = way(contracts(tmp_path / "templates"))

    for _, command in there.commands():
        command()

    there.check_complete()
    assert all("legal question" in row["messages"][-1]["content"] for row in there.rows()["train.jsonl"])


def test_what_people_judge_of_references_decides_what_is_learnt(way: Callable[[Field], Way], tmp_path: Path) -> None:
    there = way(medicine(texts=6, of_each=1))
    pairs = [{"question": there.about.questions(number)[0], "answer": "Gout."} for number in range(6)]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(pairs), encoding="utf-8")
    there.create("medchat")
    project = there.number("medchat")
    there.run("import", project, str(path))
    there.run("predict", project)
    there.annotate(int(project), lambda *_: "Gout, at 5 mg a day.")
    first, *_ = there.studio.tasks.by_id(int(project))
    mark_wrong(there, first.annotations[0].id, first.annotations[0].result)

    said = there.run("dataset", "build", project, "--out", str(there.out))

    assert "1 wrong reference" in said
    rows = [row for side in there.rows().values() for row in side]
    assert sorted(row["question"] for row in rows) == sorted(pair["question"] for pair in pairs[1:])


def mark_wrong(there: Way, annotation: int, result: object) -> None:
    assert isinstance(result, list | tuple)
    choice = {
        "id": "wrong",
        "from_name": "reference_faults",
        "to_name": "question",
        "type": "choices",
        "origin": "manual",
    }
    body = {"result": [*result, choice | {"value": {"choices": ["Reference is wrong"]}}]}
    headers = {"Authorization": f"Token {there.label_studio.api_key}"}
    url = f"{there.label_studio.url}/api/annotations/{annotation}/"
    httpx.patch(url, json=body, headers=headers, timeout=60, trust_env=False).raise_for_status()
