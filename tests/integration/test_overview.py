"""The facts of a deployment and its projects, as values."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from contract.servers.vendor import Vendor, json_reply
from doubles import FakeOllama

from annotune.errors import LabelStudioUnreachable, NotFound
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, ModelVersion
from annotune.overview import OverviewReader, ProjectOverview, ReadTitle, Title, UnreadableProject, version_overviews
from annotune.runs import Progress, TrainingRequest, TrainingRun
from annotune.serving import DefaultModel
from annotune.settings import Settings
from annotune.store.queue import JobQueue
from annotune.store.store import Store

AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)
SMALL = ModelRef(server="ollama", model="small")
Read = Callable[..., OverviewReader]


@pytest.fixture
def ollama(ollama: FakeOllama) -> FakeOllama:
    ollama.models["small"] = ""
    return ollama


@pytest.fixture
def reader(store: Store, jobs: JobQueue, ollama: FakeOllama) -> Read:
    def make(read_title: ReadTitle | None = None, **changed: Any) -> OverviewReader:
        environment = {"openai_provider": "ollama", "openai_model": "small", "ollama_endpoint": ollama.url}
        return OverviewReader(Settings(**environment | changed), store, jobs, read_title)

    return make


def version(number: int) -> ModelVersion:
    return ModelVersion(
        project=4,
        number=number,
        model=f"annotune/main-p4:v{number:04d}-0123abcd",
        digest="0" * 64,
        run=f"r{number}",
        created_at=AT,
        num_ctx=2048,
        state="promoted",
    )


def ended(number: int, loss: float) -> TrainingRun:
    return TrainingRun(
        id=f"r{number}",
        project=4,
        number=number,
        state="promoted",
        started_at=AT,
        ended_at=AT,
        metrics={"tuned_loss": loss},
    )


def test_a_deployment_without_a_worker_reports_nothing_and_counts_what_waits(reader: Read, store: Store) -> None:
    overview = reader(recipe="small")
    overview._jobs.changed(4)

    found = overview.deployment()

    assert (found.worker.ok, found.report, found.recipe) == (False, None, "small")
    assert (found.changes, found.trainings) == (1, 0)


def test_a_project_without_a_model_has_the_default_one(reader: Read, store: Store) -> None:
    store.projects.remember(4)

    (found,) = reader().projects()

    assert isinstance(found, ProjectOverview)
    assert found.model == DefaultModel(SMALL, of_connection=False)
    assert (found.title, found.model_error, found.annotations, found.last_run) == (Title(None), "", None, None)


def test_the_model_of_a_connection_is_told_from_the_settings(reader: Read, store: Store, ollama: FakeOllama) -> None:
    ollama.models["chosen"] = ""
    store.projects.remember(4)
    store.extra_params.set(4, ExtraParams(model="chosen"))

    (found,) = reader(allowed_models="ollama:chosen").projects()

    assert isinstance(found, ProjectOverview)
    assert found.model == DefaultModel(ModelRef(server="ollama", model="chosen"), of_connection=True)


def test_progress_is_that_of_a_training_that_runs(reader: Read, store: Store) -> None:
    progress = Progress(run="r3", stage="train", step=10, steps=40)
    store.training.request(4, TrainingRequest(requested_by="command", at=AT))
    store.leases.take(4, "training", "r3", 30)
    store.training.set_progress(4, progress)

    (without,) = reader().projects()
    store.workers.heartbeat(30)
    (beside,) = reader().projects()

    assert isinstance(without, ProjectOverview)
    assert isinstance(beside, ProjectOverview)
    assert (without.progress, beside.progress) == (None, progress)
    assert without.request == beside.request


def test_an_unreadable_project_is_named_beside_the_others(reader: Read, store: Store) -> None:
    store.projects.remember(4, 5)
    store._redis.set(store.keys.of(4, "tally"), "<?xml?>")

    first, second = reader().projects()

    assert isinstance(first, UnreadableProject)
    assert "annotune:main:4:tally" in first.error
    assert isinstance(second, ProjectOverview)


def test_an_ollama_that_does_not_answer_is_asked_once_for_all_projects(reader: Read, store: Store) -> None:
    store.projects.remember(4, 5, 6)

    with Vendor([json_reply({"error": "no"}, 500)]) as vendor:
        found = list(reader(ollama_endpoint=vendor.url).projects())

    assert len({overview.model_error for overview in found if isinstance(overview, ProjectOverview)}) == 1
    assert all(overview.model_error for overview in found if isinstance(overview, ProjectOverview))
    assert len(vendor.asked) == 1


def test_a_label_studio_that_does_not_answer_is_asked_once_and_its_error_stands_for_each_title(
    reader: Read, store: Store, redis_url: str
) -> None:
    asked: list[int] = []

    def read_title(project: int) -> str:
        asked.append(project)
        if project == 5:
            raise NotFound("no project 5")
        if project > 5:
            raise LabelStudioUnreachable("away")
        return "Formulary"

    store.projects.remember(4, 5, 6, 7)

    found = list(reader(read_title=read_title).projects())

    away = Title(None, "away")
    assert [overview.title for overview in found] == [Title("Formulary"), Title(None, "no project 5"), away, away]
    assert asked == [4, 5, 6]


def test_versions_come_newest_first_with_their_loss(store: Store) -> None:
    store.versions.save(version(1))
    store.versions.save(version(2))
    store.runs.save(ended(2, 1.25))
    store.live.swap(4, None, version(1).ref)

    newest, oldest = version_overviews(store, 4)

    assert (newest.version, newest.live, newest.held_out_loss) == (version(2), False, 1.25)
    assert (oldest.version, oldest.live, oldest.held_out_loss) == (version(1), True, None)
