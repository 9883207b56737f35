"""The article's way, step by step: projects, texts, questions, answers, a dataset; with a scripted annotator and model."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import PredictionRow, TaskRow
from embedded.label_studio import LabelStudio

Command = Callable[..., str]
"""`run("import", "4", "texts.jsonl")`: what the command prints."""
Correct = Callable[[TaskRow, str], str]
"""What the annotator makes of a task's proposed text."""
MANIFESTS = ("train.jsonl", "eval.jsonl")


@dataclass(frozen=True)
class Field:
    """A field of knowledge: its texts, what the model proposes for each, and its templates' names."""

    texts: Sequence[str]
    questions: Callable[[int], Sequence[str]]
    answer: str
    templates: tuple[str, str] = ("questions", "answers")
    folder: Path | None = None


def medicine(texts: int = 6, of_each: int = 3) -> Field:
    """Invented drugs, whose texts are numbered."""
    bodies = [
        f"Study {number}. Zorvaxil-{number} relieves gout. Adults take {number + 2} mg a day. It makes people drowsy."
        for number in range(texts)
    ]
    asked = (
        "Which illness does Zorvaxil-{} relieve?",
        "How many milligrams of Zorvaxil-{} do adults take each day?",
        "Which unwanted effect has Zorvaxil-{}?",
    )

    def questions(number: int) -> list[str]:
        return [each.format(number) for each in asked[:of_each]]

    return Field(bodies, questions, "Gout, at {} mg a day.")


@dataclass
class Way:
    """The way of one field. `run` runs a command, and returns what it prints."""

    run: Command
    label_studio: LabelStudio
    studio: LabelStudioClient
    folder: Path
    about: Field
    projects: dict[str, int] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.folder / "dataset"

    def commands(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """The commands in order, and between them the annotator's work. A command may be called again at any time."""
        first, second = self.about.templates
        texts = self.write_texts()
        yield f"create {first}", partial(self.create, first)
        yield "import", lambda: self.run("import", self.number(first), str(texts), "--map", "text=abstract")
        yield "predict questions", lambda: self.run("predict", self.number(first))
        self.annotate(self.projects[first], self.corrected_questions)
        yield f"create {second}", partial(self.create, second)
        yield "curate", lambda: self.run("curate", "questions", self.number(first), self.number(second))
        yield "predict answers", lambda: self.run("predict", self.number(second))
        self.annotate(self.projects[second], self.corrected_answer)
        yield "build", lambda: self.run("dataset", "build", self.number(second), "--out", str(self.out))

    def number(self, template: str) -> str:
        return str(self.projects[template])

    def create(self, template: str) -> str:
        """Make a project of a template. Its title is of this folder alone."""
        copied = () if self.about.folder is None else ("--from", str(self.about.folder))
        said = self.run("project", "create", template, "--title", f"{template} of {self.folder.name}", *copied)
        found = re.search(r"/projects/(\d+)", said)
        assert found, said
        self.projects[template] = int(found[1])
        return said

    def write_texts(self) -> Path:
        path = self.folder / "texts.jsonl"
        rows = [{"abstract": text, "abstract_id": number} for number, text in enumerate(self.about.texts)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def corrected_questions(self, task: TaskRow, proposed: str) -> str:
        """The annotator puts the names right, which the model wrote in capitals."""
        number = list(self.about.texts).index(str(task.data["text"]))
        assert proposed
        return "\n".join(self.about.questions(number))

    def corrected_answer(self, task: TaskRow, proposed: str) -> str:
        assert proposed
        return f"{self.about.answer.format(task.data['abstract_id'])} (of {task.data['question']})"

    def annotate(self, project: int, correct: Correct) -> int:
        """Annotate what nobody has annotated yet, as a person does who opens a prediction, corrects it and submits."""
        headers = {"Authorization": f"Token {self.label_studio.api_key}"}
        made = 0
        with httpx.Client(base_url=self.label_studio.url, headers=headers, timeout=60, trust_env=False) as http:
            for task in self.studio.tasks.by_id(project):
                if task.annotations:
                    continue
                proposal = task.predictions[0]
                regions = [self._region(region, task, correct) for region in proposal.result]
                body = {"result": regions, "parent_prediction": proposal.id, "lead_time": 1.0}
                http.post(f"/api/tasks/{task.id}/annotations/", json=body).raise_for_status()
                made += 1
        return made

    def _region(self, region: dict[str, Any], task: TaskRow, correct: Correct) -> dict[str, Any]:
        if region["from_name"] != "response":
            return region | {"origin": "prediction"}
        said = "\n".join(region["value"]["text"])
        return region | {"origin": "prediction-changed", "value": {"text": [correct(task, said)]}}

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """The dataset, by file."""
        return {
            name: [json.loads(line) for line in (self.out / name).read_text(encoding="utf-8").splitlines()]
            for name in MANIFESTS
        }

    def check_complete(self) -> None:
        """Assert that each text, question, answer and row is there exactly once."""
        texts, answers = (self._tasks(template) for template in self.about.templates)
        wanted = [question for number in range(len(self.about.texts)) for question in self.about.questions(number)]
        assert sorted(str(task.data["text"]) for task in texts) == sorted(self.about.texts)
        assert sorted(str(task.data["question"]) for task in answers) == sorted(wanted)
        for task in (*texts, *answers):
            assert (len(versions_of(task.predictions)), len(task.predictions), len(task.annotations)) == (1, 1, 1)
        rows = [row for side in self.rows().values() for row in side]
        assert sorted(row["question"] for row in rows) == sorted(wanted)
        assert len({row["id"] for row in rows}) == len(rows)
        for row in rows:
            assert row["answer"] == f"{self.about.answer.format(row['abstract_id'])} (of {row['question']})"
            asked = row["messages"][-1]["content"]
            assert row["question"] in asked
            assert self.about.texts[int(row["abstract_id"])] not in asked

    def _tasks(self, template: str) -> list[TaskRow]:
        return list(self.studio.tasks.by_id(self.projects[template]))


def versions_of(predictions: Sequence[PredictionRow]) -> set[str | None]:
    return {prediction.model_version for prediction in predictions}
