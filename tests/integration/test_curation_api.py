"""The Python API: its examples are run against doubles of Label Studio and Ollama over HTTP, on a real Redis."""

import doctest
import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType

import pytest
from doubles import FakeOllama
from label_studio_double import LabelStudioDouble

from annotune.errors import RequestInvalid, TrainingRefused
from annotune.models import ModelVersion
from annotune.prompt import ProjectPrompt
from annotune.runs import Progress, TrainingRun
from annotune.split import text_sha
from annotune.store.store import Store
from curation import api, dataset_api
from curation.api import Annotune
from curation.dataset_api import DatasetMethods

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
PARTS = {api: Annotune, dataset_api: DatasetMethods}
FOUND = [test for part in PARTS for test in doctest.DocTestFinder(recurse=True).find(part, part.__name__)]
EXAMPLES = {test.name: test for test in FOUND if test.examples}
PUBLIC = [
    f"{part.__name__}.{methods.__name__}.{name}"
    for part, methods in PARTS.items()
    for name, member in vars(methods).items()
    if not name.startswith("_") and isinstance(member, FunctionType | classmethod) and name != "close"
]
AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)


VERSION = {
    "project": 4,
    "number": 1,
    "model": "annotune/main-p4:v0001-0123abcd",
    "digest": "0123abcd",
    "run": "r1",
    "created_at": AT,
    "num_ctx": 1024,
    "state": "candidate",
}


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=3)
    double.add_project(5, questions=1)
    double.add_project(6)
    double.submit(5, 0, "Here are two:\n1. What causes gout?\n2. How is it treated?")
    return double


@pytest.fixture
def annotune(
    studio: LabelStudioDouble,
    store: Store,
    ollama: FakeOllama,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Annotune]:
    """The API of a deployment in the environment: project 4 has a prompt and a version that waits, and no worker runs."""
    version = ModelVersion.model_validate(VERSION)
    store.versions.save(version)
    store.prompts.add(4, ProjectPrompt(text="Answer in one word.", source="command", at=AT))
    ollama.models |= {"small": "0" * 64, version.model: "0" * 64}
    environment = {
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": "legacy",
        "REDIS_URL": redis_url,
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "small",
        "OLLAMA_ENDPOINT": ollama.url,
        "RECIPE": "small",
        "RUNS_DIR": str(tmp_path / "runs"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Annotune.from_environment() as annotune:
        yield annotune


@pytest.mark.parametrize("name", PUBLIC)
def test_every_method_has_an_example(name: str) -> None:
    assert name in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_written(name: str, annotune: Annotune, tmp_path: Path) -> None:
    test = EXAMPLES[name]
    test.globs = {**vars(api), "annotune": annotune, "folder": tmp_path / "dataset"}
    report: list[str] = []

    result = doctest.DocTestRunner().run(test, out=report.append, clear_globs=False)

    assert result.failed == 0, "".join(report)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_method_documents_its_arguments(name: str) -> None:
    method = getattr(Annotune, name.rpartition(".")[2])
    arguments = [argument for argument in inspect.signature(method).parameters if argument not in {"self", "project"}]
    page = inspect.getdoc(method) or ""

    assert [argument for argument in arguments if not re.search(rf"\b{argument}\b", page)] == []


def test_the_snippet_of_the_how_to_runs(
    annotune: Annotune, studio: LabelStudioDouble, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path: Path
) -> None:
    studio.submit_all(4)
    section = HOW_TO.partition("\n## From Python\n")[2].partition("\n## ")[0]
    [snippet] = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)

    exec(compile(snippet, "how-to.md", "exec"), {})  # noqa: S102 - our own page

    assert [len(found) for found in studio.predictions(4)] == [1, 1, 1]
    assert "3 pushed, 0 failed" in capsys.readouterr().out


def test_a_training_is_watched_to_its_end(annotune: Annotune, store: Store) -> None:
    training = annotune.train(4)
    with pytest.raises(TrainingRefused, match="has not ended yet"):
        training.result()
    store.training.set_progress(4, Progress(run="r1", stage="train", step=3, steps=40))
    progress = training.watch()
    assert next(progress).step == 3

    run = {"id": "r1", "project": 4, "number": 1, "state": "promoted", "started_at": AT}
    store.runs.save(TrainingRun.model_validate(run))
    store.training.end(4)

    assert list(progress) == []
    assert training.wait().id == "r1"


def test_a_dataset_holds_what_a_training_would_learn(
    annotune: Annotune, studio: LabelStudioDouble, store: Store, tmp_path: Path
) -> None:
    studio.add_project(4, questions=18)
    studio.submit_all(4)

    examples = annotune.examples(4)
    assert (len(examples.train), len(examples.held_out), examples.lacks) == (13, 5, "")
    assert store.splits.all(4) == {}, "reading the examples assigns nothing"
    manifest = annotune.build_dataset(4, out=tmp_path / "dataset", open_book=True).manifest

    assert sorted(manifest.annotations["eval"]) == sorted(each.origin.annotation for each in examples.held_out)
    shas = {text_sha(f"Question {number}?") for number in range(18)}
    assert store.splits.all(4).keys() == shas, "building a dataset records the sides"
    assert annotune.examples(4).held_out == examples.held_out


def test_a_project_with_too_few_annotations_lacks_some(annotune: Annotune, studio: LabelStudioDouble) -> None:
    studio.submit_all(4)

    examples = annotune.examples(4)

    assert (len(examples.train), len(examples.held_out)) == (3, 0)
    assert "submit 12 more" in examples.lacks


def test_an_empty_selection_of_tasks_plans_nothing(annotune: Annotune) -> None:
    with pytest.raises(RequestInvalid):
        annotune.plan(4, tasks=[])


def test_tasks_are_selected_by_their_numbers(annotune: Annotune) -> None:
    assert annotune.plan(4, tasks=[4002, 4000]).found == 2
