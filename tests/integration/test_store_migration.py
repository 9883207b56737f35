"""What versions that knew no deployments left in Redis."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice

import pytest
import redis
from rq import Queue

from annotune.answer import Answer
from annotune.models import ModelRef
from annotune.runs import TrainingRequest
from annotune.store import migration
from annotune.store.job_spec import CHANGED_JOB, TRAIN_JOB
from annotune.store.queue import CHANGES, TRAINING, JobQueue
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from trainer.worker import migrate

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LLAMA, GPT = ModelRef.parse("ollama:llama3"), ModelRef.parse("openai:gpt-4o")
WANTED = TrainingRequest(requested_by="x", at=NOON)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect_redis(redis_url, patience="web", decode=True) as made:
        yield made


@pytest.fixture
def store(client: redis.Redis) -> Store:
    return Store(client)


def answer(text: str) -> Answer:
    return Answer(project=4, task=7, prompt="p", prompt_sha="ab", text=text, model_version="m@ab", at=NOON)


def leave_old(client: redis.Redis) -> dict[str, str]:
    """Keys as the versions before had them; the new name of each."""
    client.sadd("annotune:projects", 4, 12)
    client.set("annotune:4:live", LLAMA.model_dump_json())
    client.set("annotune:4:changes", 5)
    client.set("annotune:12:training", WANTED.model_dump_json())
    client.set("annotune:4:lease:training", "token", px=60_000)
    client.rpush("annotune:4:answers:7", answer("old 1").model_dump_json(), answer("old 2").model_dump_json())
    client.sadd("annotune:4:dataset", 1, 2)
    return {key: key.replace("annotune:", "annotune:main:", 1) for key in client.keys("annotune:*")}


def leave_jobs(connection: redis.Redis) -> None:
    for name, job, project in (
        ("annotune-changes", CHANGED_JOB, 4),
        ("annotune-changes", CHANGED_JOB, 12),
        ("annotune-training", TRAIN_JOB, 12),
    ):
        Queue(name, connection=connection, serializer="json").enqueue_call(job, args=(project,))


def test_main_takes_over_every_old_key_with_its_value_and_its_expiry(
    client: redis.Redis, store: Store, jobs: JobQueue
) -> None:
    names = leave_old(client)

    migrate(store, jobs)

    assert set(client.keys("annotune:*")) == set(names.values())
    assert (store.projects.all(), store.live.get(4), store.changes.count(4)) == ([4, 12], LLAMA, 5)
    assert (store.training.requested(12), store.trained.tried(4)) == (WANTED, {1: "", 2: ""})
    assert [kept.text for kept in store.answers.known(4, 7)] == ["old 1", "old 2"]
    assert 0 < client.pttl("annotune:main:4:lease:training") <= 60_000


def test_what_waits_in_the_old_queues_waits_in_the_new_ones(
    connection: redis.Redis, store: Store, jobs: JobQueue
) -> None:
    leave_jobs(connection)

    migrate(store, jobs)

    assert (set(jobs.queued(CHANGES)), jobs.queued(TRAINING)) == ({4, 12}, [12])
    assert not connection.exists("rq:queue:annotune-changes", "rq:queue:annotune-training")
    assert {name.decode() for name in connection.smembers("rq:queues")} == {
        "rq:queue:annotune-main-changes",
        "rq:queue:annotune-main-training",
    }


def test_a_second_start_does_nothing(
    client: redis.Redis, connection: redis.Redis, store: Store, jobs: JobQueue
) -> None:
    leave_old(client)
    leave_jobs(connection)
    migrate(store, jobs)
    before = {key: connection.dump(key) for key in connection.keys("annotune:*")}

    migrate(store, jobs)

    assert {key: connection.dump(key) for key in connection.keys("annotune:*")} == before
    assert jobs.lengths() == {CHANGES: 2, TRAINING: 1}


def test_one_that_was_broken_off_is_gone_on_with(client: redis.Redis, store: Store, jobs: JobQueue) -> None:
    names = leave_old(client)
    for old, new in islice(names.items(), 3):
        client.rename(old, new)

    migrate(store, jobs)

    assert set(client.keys("annotune:*")) == set(names.values())
    assert store.projects.all() == [4, 12]


def test_two_at_a_time_lose_nothing(client: redis.Redis, redis_url: str) -> None:
    names = leave_old(client)
    client.rpush("annotune:main:4:answers:7", answer("new").model_dump_json())
    stores = [Store.connect(redis_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda each: each.migrate(), stores))

    assert sum(each.moved for each in taken) == len(names)
    assert [kept.text for kept in stores[0].answers.known(4, 7)] == ["old 1", "old 2", "new"]


def test_a_newer_key_is_never_overwritten(
    client: redis.Redis, store: Store, jobs: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    leave_old(client)
    store.live.swap(3, None, GPT)
    store.live.swap(4, None, GPT)

    migrate(store, jobs)

    assert store.live.get(4) == GPT
    assert store.projects.all() == [3, 4, 12]
    assert client.get("annotune:4:live") == LLAMA.model_dump_json()
    assert "annotune:4:live" in caplog.text


def test_a_deployment_that_is_called_like_a_project_keeps_its_keys(
    client: redis.Redis, store: Store, jobs: JobQueue
) -> None:
    other = Store(client, deployment="4")
    other.live.swap(12, None, GPT)
    other.workers.heartbeat(60)
    leave_old(client)

    migrate(store, jobs)

    assert (other.projects.all(), other.live.get(12), other.workers.alive()) == ([12], GPT, True)
    assert store.live.get(4) == LLAMA


def test_another_deployment_starts_empty_and_says_so(
    client: redis.Redis, connection: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    names = leave_old(client)
    leave_jobs(connection)
    store = Store(client, deployment="hospital-a")

    migrate(store, JobQueue(store, connection))

    assert (store.projects.all(), store.live.get(4), store.answers.known(4, 7)) == ([], None, [])
    assert set(client.keys("annotune:*")) == set(names)
    assert connection.llen("rq:queue:annotune-changes") == 2
    assert "hospital-a" in caplog.text


@pytest.mark.parametrize("deployment", ["main", "hospital-a"])
def test_where_nothing_is_old_nothing_is_said(
    client: redis.Redis, connection: redis.Redis, caplog: pytest.LogCaptureFixture, deployment: str
) -> None:
    caplog.set_level(logging.INFO)
    store = Store(client, deployment=deployment)

    migrate(store, JobQueue(store, connection))

    assert caplog.text == ""


def test_more_than_a_page_of_keys_is_taken_over(client: redis.Redis, store: Store) -> None:
    many = 2 * migration.PAGE + 1
    client.mset({f"annotune:{project}:changes": 1 for project in range(1, many + 1)})

    assert store.migrate().moved == many
    assert len(client.keys("annotune:main:*")) == many
