"""Rows become tasks of a Label Studio, each once: again, killed, refused, and with Label Studio away."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble
from pydantic import SecretStr

from annotune.errors import InUse, NotFound, RequestInvalid
from annotune.lease import lease
from annotune.settings import Settings
from annotune.store.store import Store
from curation import importing
from curation.api import Annotune
from curation.context import CurationContext
from curation.importing import ImportCounts, ImportOptions, import_source
from curation.patience import LEASE, Waiting
from curation.sources.source import open_source

PROJECT = 4
ROWS = 2500
QUICK = Waiting(away_s=20, retry_s=0.02, settle_s=0.02)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def annotune(double: LabelStudioDouble, redis_url: str) -> Iterator[Annotune]:
    double.add_project(PROJECT)
    settings = Settings(redis_url=redis_url, label_studio_url=double.url, label_studio_api_key=SecretStr("legacy"))
    with Annotune(settings) as made:
        yield made


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"question": "Is {number} safe?"}}\n' for number in range(ROWS)))
    return path


def questions(double: LabelStudioDouble) -> list[str]:
    return [task["data"]["question"] for task in double.projects[PROJECT]]


def import_now(context: CurationContext, path: Path, **options: Any) -> ImportCounts:
    return import_source(
        context,
        PROJECT,
        open_source(str(path)),
        ImportOptions(**options),
        on_progress=lambda _: None,
        notice=lambda _: None,
        waiting=QUICK,
    )


def test_again_nothing_changes(annotune: Annotune, double: LabelStudioDouble, rows: Path) -> None:
    first, again = (annotune.import_rows(PROJECT, str(rows)) for _ in range(2))

    assert (first.read, first.imported, first.present, first.bad) == (ROWS, ROWS, 0, {})
    assert (again.read, again.imported, again.present) == (ROWS, 0, ROWS)
    assert questions(double) == [f"Is {number} safe?" for number in range(ROWS)]


def test_a_limit_counts_rows_of_the_source(annotune: Annotune, double: LabelStudioDouble, rows: Path) -> None:
    counts = [annotune.import_rows(PROJECT, str(rows), limit=limit) for limit in (10, 10, 15)]

    assert [(each.read, each.imported, each.present) for each in counts] == [(10, 10, 0), (10, 0, 10), (15, 5, 10)]
    assert len(questions(double)) == 15


def test_a_shuffled_import_takes_the_same_rows_again(annotune: Annotune, double: LabelStudioDouble, rows: Path) -> None:
    counts = [annotune.import_rows(PROJECT, str(rows), limit=20, shuffle=7) for _ in range(2)]

    assert [each.imported for each in counts] == [20, 0]
    assert questions(double) != [f"Is {number} safe?" for number in range(20)]


def test_what_was_imported_by_hand_and_what_comes_twice_is_passed_over(
    annotune: Annotune, double: LabelStudioDouble, tmp_path: Path
) -> None:
    double.add_project(PROJECT, questions=2)
    path = tmp_path / "rows.csv"
    path.write_text("question,topic\nQuestion 1?,a\nNew?,b\nNew?,c\n")

    counts = annotune.import_rows(PROJECT, str(path))

    assert (counts.imported, counts.present, counts.doubled) == (1, 1, 1)
    assert questions(double) == ["Question 0?", "Question 1?", "New?"]


def test_bad_rows_are_counted_and_written_with_their_reasons(
    annotune: Annotune, double: LabelStudioDouble, tmp_path: Path
) -> None:
    """Label Studio itself refuses the last of them."""
    path, bad = tmp_path / "rows.jsonl", tmp_path / "bad.jsonl"
    path.write_text('{"question": "A?"}\n{"question": ""}\nno JSON\n{"question": "refused?"}\n{"question": "B?"}\n')
    double.import_refusal = "refused?"

    counts = annotune.import_rows(PROJECT, str(path), bad_rows=bad)

    assert (counts.read, counts.imported, counts.bad_count, counts.bad_rows) == (5, 2, 3, bad)
    assert questions(double) == ["A?", "B?"]
    said = [json.loads(line) for line in bad.read_text().splitlines()]
    assert [(each["row"], each.get("place"), each["data"]) for each in said] == [
        (2, None, {"question": ""}),
        (3, "line 3", {"line": "no JSON\n"}),
        (4, None, {"question": "refused?"}),
    ]
    assert [each["reason"] for each in said] == list(counts.bad)
    assert "it is not of this project" in said[2]["reason"]


def test_without_bad_rows_no_file_is_written(annotune: Annotune, rows: Path, tmp_path: Path) -> None:
    annotune.import_rows(PROJECT, str(rows), limit=1, bad_rows=tmp_path / "bad.jsonl")

    assert not (tmp_path / "bad.jsonl").exists()


def test_annotations_come_along(annotune: Annotune, double: LabelStudioDouble, tmp_path: Path) -> None:
    task = {"data": {"question": "A?"}, "annotations": [{"result": []}], "predictions": [{"result": []}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))

    annotune.import_rows(PROJECT, str(tmp_path / "tasks.json"))

    (made,) = double.projects[PROJECT]
    assert [annotation["ground_truth"] for annotation in made["annotations"]] == [False]
    assert len(made["predictions"]) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [("q,answer\nA?,B\n", "the page shows question, .* its columns are q, answer"), ("", "has no rows")],
)
def test_a_source_that_does_not_fit_changes_nothing(
    annotune: Annotune, double: LabelStudioDouble, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "rows.csv").write_text(text)

    with pytest.raises(RequestInvalid, match=words):
        annotune.import_rows(PROJECT, str(tmp_path / "rows.csv"))
    assert questions(double) == []


def test_an_unknown_project_is_said_at_once(annotune: Annotune, rows: Path) -> None:
    with pytest.raises(NotFound, match="has no project 5"):
        annotune.import_rows(5, str(rows))


def test_two_imports_into_one_project_are_refused(annotune: Annotune, store: Store, rows: Path) -> None:
    with lease(store, PROJECT, LEASE), pytest.raises(InUse, match="wait for its end"):
        annotune.import_rows(PROJECT, str(rows))


def test_label_studio_away_in_the_middle_costs_no_row_and_doubles_none(
    annotune: Annotune, double: LabelStudioDouble, rows: Path
) -> None:
    """The answer to the second batch is lost, and Label Studio has made its tasks."""

    def lose(number: int, made: bool) -> None:
        if (number, made) == (2, True):
            raise ConnectionResetError

    double.during_import = lose

    counts = import_now(annotune.context, rows)

    assert (counts.read, counts.imported, counts.present, counts.doubled) == (ROWS, ROWS, 0, 0)
    assert sorted(questions(double)) == sorted(f"Is {number} safe?" for number in range(ROWS))


def test_a_key_of_the_source_counts_more_than_its_text(
    annotune: Annotune, double: LabelStudioDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "A?", "abstract_id": 1}\n{"question": "B?", "abstract_id": 1}\n')
    source = importing.RowSource("medal", open_source(str(path)).rows, key="abstract_id")

    counts = import_source(
        annotune.context, PROJECT, source, ImportOptions(), on_progress=lambda _: None, notice=lambda _: None
    )

    assert (counts.imported, counts.doubled) == (1, 1)


@pytest.mark.parametrize("moment", ["list", (1, False), (2, True)])
def test_a_killed_import_goes_on_where_it_was(
    annotune: Annotune,
    double: LabelStudioDouble,
    store: Store,
    redis_url: str,
    rows: Path,
    moment: str | tuple[int, bool],
) -> None:
    """Killed while it lists the tasks, before Label Studio has made the first batch, and after it has made the second."""
    ended = threading.Event()

    def kill(*now: object) -> None:
        listing = moment == "list" and len(double.asked) == 2  # the project twice, then its tasks
        if listing or now == moment:
            process.kill()
            process.wait()
        if now and now[1]:
            ended.set()

    double.delay = double.during_import = kill
    environment = {"LABEL_STUDIO_URL": double.url, "LABEL_STUDIO_API_KEY": "legacy", "REDIS_URL": redis_url}
    command = [sys.executable, "-c", "from commands.main import main; main()", "import", str(PROJECT), str(rows)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL)
    assert process.wait(120) == -signal.SIGKILL
    assert store.leases.held(PROJECT, LEASE)
    if moment != "list":
        assert ended.wait(10)  # Label Studio finishes what it was asked
    double.delay, double.during_import = (lambda: None), (lambda _number, _made: None)
    store._redis.pexpire(store.keys.of(PROJECT, f"lease:{LEASE}"), 100)  # as if its 30 s had passed

    counts = import_now(annotune.context, rows)

    assert counts.imported + counts.present == ROWS
    assert sorted(questions(double)) == sorted(f"Is {number} safe?" for number in range(ROWS))
