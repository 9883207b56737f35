"""`annotune dataset build` at a terminal, against a double of Label Studio."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from label_studio_double import LabelStudioDouble

from annotune.store.store import Store
from commands.main import annotune


@pytest.fixture
def run(double: LabelStudioDouble, store: Store, redis_url: str, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command of a deployment whose project 4 has 20 answered questions."""
    double.add_project(4, questions=20)
    double.submit_all(4)
    environment = {
        "LABEL_STUDIO_URL": double.url,
        "LABEL_STUDIO_API_KEY": "legacy",
        "REDIS_URL": redis_url,
        "DEFAULT_PROMPT": "Answer in one word.",
        "RUNS_DIR": str(tmp_path / "runs"),
    }
    return lambda *arguments: CliRunner().invoke(annotune, [str(each) for each in arguments], env=environment)


def test_it_says_what_was_built_and_that_nothing_changed(run: Callable[..., Result], tmp_path: Path) -> None:
    first = run("dataset", "build", 4, "--out", tmp_path / "set", "--licence", "cc-by-4.0")
    again = run("dataset", "build", 4, "--out", tmp_path / "set", "--licence", "cc-by-4.0")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert f"{tmp_path}/set: 15 rows to train on, 5 held out" in first.output
    assert f"{tmp_path}/set: nothing changed (15 rows to train on, 5 held out)" in again.output
    assert "license: cc-by-4.0" in (tmp_path / "set" / "README.md").read_text()


def test_what_is_left_out_or_not_held_out_is_said(
    run: Callable[..., Result], double: LabelStudioDouble, tmp_path: Path
) -> None:
    double.add_project(4, questions=4)
    double.submit_all(4)
    double.submit(4, 0, "", skipped=True)

    result = run("dataset", "build", 4, "--out", tmp_path / "set")

    assert "left out: 1 skipped" in result.output
    assert "project 4: what is new is not held out yet: it takes 15 usable annotations" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("x", "--out", "set"), 2, "'x' is no project"),
        (("77", "--out", "set"), 1, "project 77"),
        (("4", "--out", "set", "--prompt", "77"), 1, "project 77"),
        (("4", "--out", "set", "--prompt", "none.txt"), 2, "the prompt 'none.txt' cannot be read"),
        (("4", "4", "--out", "set"), 2, "name each project once"),
        (("4", "--out", "."), 2, "is no dataset of Annotune"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").write_text("mine")

    result = run("dataset", "build", *arguments)

    assert result.exit_code == code
    assert said in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]
