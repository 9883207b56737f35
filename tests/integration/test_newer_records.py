"""A folder of runs, and a Redis, that a newer version wrote, or somebody broke: an upgrade can be taken back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import FakeOllama, serving

from annotune.errors import ConfigurationError
from annotune.models import ModelRef, ModelVersion
from annotune.recipe import RECIPES, Recipe
from annotune.runs import TrainingRun
from annotune.servers.ollama import OllamaClient
from annotune.store.store import Store
from trainer.rebuild import rebuild
from trainer.run_folder import MANIFEST, read_runs

AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def ollama() -> Iterator[OllamaClient]:
    with serving(FakeOllama()) as url:
        server = OllamaClient(url)
        yield server
        server.close()


def promoted(project: int) -> TrainingRun:
    model = f"annotune/main-p{project}:v0001-01234567"
    version = {
        "project": project,
        "number": 1,
        "model": model,
        "digest": "ab",
        "run": "r",
        "created_at": AT,
        "num_ctx": 256,
        "state": "promoted",
    }
    return TrainingRun.model_validate(
        {
            "id": "r",
            "project": project,
            "number": 1,
            "state": "promoted",
            "started_at": AT,
            "version": ModelVersion.model_validate(version),
        }
    )


def write(runs_dir: Path, project: int, **more: object) -> Path:
    """A manifest with fields that this version does not know, at every depth."""
    run = json.loads(promoted(project).model_dump_json())
    run["version"] |= more
    path = runs_dir / f"p{project}" / "r" / MANIFEST
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(run | more))
    return path


def test_a_manifest_with_fields_that_a_newer_version_added_is_read(tmp_path: Path) -> None:
    write(tmp_path, 4, revision="abc", cost={"usd": 1})

    assert read_runs(tmp_path, 4) == [promoted(4)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "r"}', '"\\ud800"'], ids=range(5))
def test_a_manifest_that_cannot_be_read_is_named_and_left_out(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = write(tmp_path, 4)
    broken.write_text(text)
    write(tmp_path, 5)

    assert read_runs(tmp_path) == [promoted(5)]
    assert str(broken) in caplog.text


@pytest.mark.parametrize("name", ["live", "versions", "runs"])
def test_rebuild_goes_on_with_the_other_projects(
    tmp_path: Path, store: Store, ollama: OllamaClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for project in (4, 5):
        write(tmp_path, project)
    store._redis.set(store.keys.of(4, name), "<?xml?>")

    rebuild(store, tmp_path, ollama)

    version = promoted(5).version
    assert version
    assert store.live.get(5) == version.ref
    assert store.versions.all(5) == [version]
    assert f"annotune:main:4:{name}" in caplog.text


def test_a_recipe_with_a_field_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text("learning_rat = 1\n" + (RECIPES / "small.toml").read_text())

    with pytest.raises(ConfigurationError, match="learning_rat"):
        Recipe.load(str(path))


def test_a_pointer_of_a_newer_version_is_read(store: Store) -> None:
    store._redis.set(store.keys.of(4, "live"), json.dumps({"server": "ollama", "model": "m", "added": [1]}))

    assert store.live.get(4) == ModelRef(server="ollama", model="m")
