"""Two deployments on one Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRequest
from annotune.settings import load_settings
from annotune.store.job_spec import JobSpec
from annotune.store.queue import CHANGES, TRAINING
from trainer.context import TrainerContext, trainer_context
from trainer.safe_job import SafeJob

PROJECT = 4
OURS = ModelRef(server="ollama", model="annotune/hospital-a-p4:v0001-01234567")
WANTED = TrainingRequest.model_validate({"requested_by": "a test", "at": "2026-01-01T00:00:00Z"})


@pytest.fixture(params=[("hospital-a", "hospital-b"), ("main", "4"), ("4", "5")], ids="-".join)
def pair(
    request: pytest.FixtureRequest, redis_url: str, tmp_path: Path
) -> Iterator[tuple[TrainerContext, TrainerContext]]:
    """What the workers of both work with."""
    one, other = (
        trainer_context(load_settings(redis_url=redis_url, deployment=name, runs_dir=tmp_path / name))
        for name in request.param
    )
    yield one, other
    one.store.close()
    other.store.close()


def test_a_project_of_one_is_none_of_the_other(pair: tuple[TrainerContext, TrainerContext]) -> None:
    one, other = pair
    one.store.live.swap(PROJECT, None, OURS)
    one.store.prompts.add(PROJECT, ProjectPrompt(text="p", source="command", at=WANTED.at))
    one.store.training.request(PROJECT, WANTED)
    one.store.leases.take(PROJECT, "training", "mine", 60)
    one.store.workers.heartbeat(60)

    assert other.store.projects.all() == []
    assert (
        other.store.live.get(PROJECT),
        other.store.prompts.used(PROJECT),
        other.store.training.requested(PROJECT),
    ) == (None,) * 3
    assert other.store.leases.take(PROJECT, "training", "theirs", 60)
    assert not other.store.workers.alive()


def test_a_job_of_one_waits_in_no_queue_of_the_other(pair: tuple[TrainerContext, TrainerContext]) -> None:
    one, other = pair
    one.jobs.changed(PROJECT)
    one.jobs.train(PROJECT)

    assert one.jobs.lengths() == {CHANGES: 1, TRAINING: 1}
    assert other.jobs.lengths() == {CHANGES: 0, TRAINING: 0}


def test_rq_keeps_what_it_knows_of_jobs_apart_too(pair: tuple[TrainerContext, TrainerContext]) -> None:
    names = {
        key
        for context in pair
        for kind in (CHANGES, TRAINING)
        for queue in [context.jobs.queue(kind, job_class=SafeJob)]
        for key in (
            queue.key,
            queue.started_job_registry.key,
            queue.failed_job_registry.key,
            queue.intermediate_queue_key,
        )
    }

    assert len(names) == 2 * 2 * 4


def test_a_job_says_the_same_in_each(pair: tuple[TrainerContext, TrainerContext]) -> None:
    one, _ = pair
    one.jobs.sync(PROJECT)
    queue = one.jobs.queue(CHANGES, job_class=SafeJob)
    [job] = queue.jobs

    assert isinstance(job, SafeJob)
    assert not job.refusal
    assert JobSpec(str(job.func_name), job.args[0]).project == PROJECT
