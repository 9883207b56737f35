"""The answers given, in a real Redis: prompts once, an end by a setting, deleted with their project."""

from datetime import UTC, datetime

import pytest
import redis

from annotune.answer import Answer
from annotune.errors import RecordUnreadable, StoreUnavailable
from annotune.store.answers import MAX_ANSWERS
from annotune.store.store import Store

AT = datetime(2026, 11, 26, tzinfo=UTC)
PROMPT = "Read the note and answer in one short sentence. " * 8
DAY_S = 86_400


def answer(text: str, task: int = 1, **more: object) -> Answer:
    given = {"prompt": PROMPT, "prompt_sha": "ab" * 32, "model_version": "m@1", "at": AT}
    return Answer.model_validate({"project": 4, "task": task, "text": text, **given, **more})


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url, decode_responses=True)


def test_what_was_kept_is_given_back(store: Store) -> None:
    answers = [
        answer("one"),
        answer('{"asked":"no id"} \U0001f48a', prompt="other", prompt_sha="cd" * 32, typed=True),
        answer("three", cut=True),
    ]
    store.answers.add(answers, kept_s=0)

    assert store.answers.known(4, 1) == answers
    assert store.answers.known(4, 2) == []


def test_a_prompt_is_kept_once(store: Store, client: redis.Redis) -> None:
    store.answers.add([answer("so", task) for task in range(100)], kept_s=0)

    entries = [client.lrange(key, 0, -1) for key in client.scan_iter("annotune:main:4:answers:*")]
    prompts = list(client.scan_iter("annotune:main:4:asked:*"))
    assert (len(entries), len(prompts)) == (100, 1)
    assert all(PROMPT not in entry and len(entry) < 200 for [entry] in entries)


def test_answers_and_their_prompts_end_together(store: Store, client: redis.Redis) -> None:
    store.answers.add([answer("one")], kept_s=DAY_S)
    store.answers.add([answer("two", task=2)], kept_s=DAY_S)

    left = {key: client.ttl(key) for key in client.scan_iter("annotune:main:4:*")}
    assert len(left) == 3
    assert all(DAY_S - 60 < seconds <= DAY_S for seconds in left.values())

    store.answers.add([answer("three")], kept_s=0)

    assert client.ttl("annotune:main:4:answers:1") == -1
    assert client.ttl("annotune:main:4:answers:2") > 0


def test_a_changed_setting_holds_for_what_is_there(store: Store, client: redis.Redis) -> None:
    client.rpush("annotune:main:4:answers:1", answer("of an older version").model_dump_json())
    store.answers.add([answer("two", task=2)], kept_s=60)
    store.answers.add([answer("three", task=3, prompt="other")], kept_s=2 * DAY_S)
    theirs = Store.connect(
        f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0", deployment="other"
    )
    theirs.answers.add([answer("theirs")], kept_s=0)

    store.answers.apply_retention(kept_s=DAY_S)

    kept = {task: client.ttl(f"annotune:main:4:answers:{task}") for task in (1, 2, 3)}
    assert DAY_S - 60 < kept[1] <= DAY_S
    assert kept[2] <= 60
    assert DAY_S - 60 < kept[3] <= DAY_S
    assert all(client.ttl(key) <= DAY_S for key in client.scan_iter("annotune:main:4:asked:*"))
    assert client.ttl("annotune:other:4:answers:1") == -1

    store.answers.apply_retention(kept_s=0)

    assert {client.ttl(key) for key in client.scan_iter("annotune:main:4:*")} == {-1}


def test_a_setting_that_did_not_change_costs_one_request(store: Store, client: redis.Redis) -> None:
    store.answers.apply_retention(kept_s=DAY_S)
    client.rpush("annotune:main:4:answers:1", answer("one").model_dump_json())

    store.answers.apply_retention(kept_s=DAY_S)

    assert client.ttl("annotune:main:4:answers:1") == -1


def test_many_tasks_are_read_in_few_requests(store: Store, client: redis.Redis) -> None:
    store.answers.add([answer(str(task), task) for task in range(1200)], kept_s=0)
    client.rpush("annotune:main:4:answers:7", "{")
    client.set("annotune:main:4:answers:5000", "no list")
    before = client.info("stats")["total_reads_processed"]

    given = store.answers.by_task(4, [*range(1200), 5000, 5001])

    assert client.info("stats")["total_reads_processed"] - before < 100
    assert [[each.text for each in given(task)] for task in (0, 6, 1199, 5001)] == [["0"], ["6"], ["1199"], []]
    for task in (7, 5000):
        with pytest.raises(RecordUnreadable, match=f"annotune:main:4:answers:{task}"):
            given(task)


def test_a_full_or_stopped_redis_is_no_tasks_fault(store: Store, client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable, match="full"):
            store.answers.add([answer("one")], kept_s=0)
        assert store.answers.known(4, 1) == []
    finally:
        client.config_set("maxmemory", 0)


def test_an_answer_of_an_older_version_is_read(store: Store, client: redis.Redis) -> None:
    client.rpush("annotune:main:4:answers:1", answer("old").model_dump_json())
    store.answers.add([answer("new")], kept_s=0)

    assert [given.text for given in store.answers.known(4, 1)] == ["old", "new"]


def test_an_answer_that_cannot_be_read_is_named(store: Store, client: redis.Redis) -> None:
    client.rpush("annotune:main:4:answers:1", "{")

    with pytest.raises(RecordUnreadable, match="annotune:main:4:answers:1"):
        store.answers.known(4, 1)


def test_a_tasks_answers_are_bounded(store: Store) -> None:
    store.answers.add([answer(str(number)) for number in range(MAX_ANSWERS + 3)], kept_s=0)

    assert [given.text for given in store.answers.known(4, 1)] == [str(number) for number in range(3, MAX_ANSWERS + 3)]


def test_a_project_is_forgotten_and_no_other(store: Store, client: redis.Redis) -> None:
    store.answers.add([answer("one"), answer("two", task=2), answer("theirs", project=44)], kept_s=0)

    assert store.answers.forget(4) == 2

    assert list(client.scan_iter("annotune:main:4:*")) == []
    assert [given.text for given in store.answers.known(44, 1)] == ["theirs"]
