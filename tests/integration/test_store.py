"""The store on a real Redis."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from annotune.answer import Answer
from annotune.errors import ConfigurationError, StoreUnavailable
from annotune.models import ModelRef, ModelVersion
from annotune.prompt import ProjectPrompt
from annotune.runs import Progress, SyncSummary, TrainingRequest, TrainingRun
from annotune.store.answers import KEPT
from annotune.store.redis import connect_redis
from annotune.store.store import FORGOTTEN_S, PAST_KEPT, RUNS_KEPT, Store
from embedded.redis import RedisServer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LLAMA, GPT = ModelRef.parse("ollama:llama3"), ModelRef.parse("openai:gpt-3.5-turbo")
OURS = ModelRef(server="ollama", model="annotune/main-p1:v0001-ab", version="v0001", num_ctx=2048)
NOT_OURS = ["redis-host", "http://localhost:6379", "redis://localhost:port/0", "redis://:sk-made-up@h:port/0"]
CALLS = {
    "projects": lambda store: store.projects(),
    "note_changes": lambda store: store.note_changes(1),
    "take_queued": lambda store: store.take_queued(1),
    "live": lambda store: store.live(1),
    "swap_live": lambda store: store.swap_live(1, None, LLAMA),
    "prompt": lambda store: store.prompt(1),
    "log_answers": lambda store: store.answer_book.add([answer(1)], kept_s=0),
    "answers": lambda store: store.answers(1, 1),
    "next_number": lambda store: store.next_number(1),
    "raise_number": lambda store: store.raise_number(1, 3),
    "versions": lambda store: store.versions(1),
    "want_training": lambda store: store.want_training(1, TrainingRequest(requested_by="x", at=NOON)),
    "set_tried": lambda store: store.lessons.set_tried(1, {1: "a"}),
    "add_learnt": lambda store: store.lessons.add_learnt(1, {1: "a"}),
    "see": lambda store: store.prompts.see(1, ["a"]),
    "take_lease": lambda store: store.take_lease(1, "a", "t", 9),
    "release_lease": lambda store: store.release_lease(1, "a", "t"),
    "has_worker": lambda store: store.has_worker(),
}


def answer(number: int, task: int = 5) -> Answer:
    return Answer(
        project=1, task=task, prompt="p", prompt_sha="ab", text=f"answer {number}", model_version="m@ab", at=NOON
    )


def version(number: int) -> ModelVersion:
    return ModelVersion(
        project=1, number=number, model="m", digest="ab", run="r", created_at=NOON, num_ctx=256, state="candidate"
    )


@contextmanager
def silent_server(*, accepts: bool) -> Iterator[str]:
    """The URL of a port that refuses connections, or accepts them and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if accepts:
            server.listen()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    made = Store.connect(redis_url)
    yield made
    made.close()


def test_a_new_project_has_nothing(store: Store) -> None:
    assert (store.live(1), store.prompt(1), store.tally(1), store.progress(1), store.training_request(1)) == (None,) * 5
    assert (store.past(1), store.answers(1, 1), store.versions(1), store.runs(1), store.projects()) == ([],) * 5
    assert (store.changes(1), store.trained.tried(1), store.has_worker()) == (0, {}, False)


def test_the_pointer_moves_from_what_it_was(store: Store) -> None:
    assert store.swap_live(1, None, LLAMA)
    assert store.swap_live(1, LLAMA, OURS)
    assert store.live(1) == OURS


@pytest.mark.parametrize("expected", [None, GPT, OURS])
def test_the_pointer_does_not_move_from_what_it_is_not(store: Store, expected: ModelRef | None) -> None:
    store.swap_live(1, None, LLAMA)

    assert not store.swap_live(1, expected, OURS)
    assert store.live(1) == LLAMA
    assert store.past(1) == []


def test_the_pointers_of_projects_are_their_own(store: Store) -> None:
    store.swap_live(1, None, LLAMA)
    store.swap_live(2, None, GPT)

    assert (store.live(1), store.live(2), store.projects()) == (LLAMA, GPT, [1, 2])


def test_of_racing_swaps_exactly_one_wins(store: Store) -> None:
    start = threading.Barrier(8)

    def swap(number: int) -> bool:
        start.wait()
        return store.swap_live(1, None, ModelRef(server="ollama", model=f"m{number}"))

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(swap, range(8)))

    assert won.count(True) == 1
    assert store.live(1) == ModelRef(server="ollama", model=f"m{won.index(True)}")


def test_the_past_is_newest_first_and_bounded(store: Store) -> None:
    refs = [ModelRef(server="ollama", model=f"m{number}") for number in range(PAST_KEPT + 5)]
    for before, after in zip([None, *refs[:-1]], refs, strict=True):
        store.swap_live(1, before, after)

    assert store.past(1) == refs[-2 : -2 - PAST_KEPT : -1]


def test_one_changed_job_is_queued_until_it_is_taken(store: Store) -> None:
    assert [store.note_changes(1) for _ in range(50)] == [[1]] + [[]] * 49

    store.take_queued(1)

    assert [store.note_changes(1), store.note_changes(1)] == [[1], []]
    assert store.changes(1) == 52


def test_a_change_of_one_project_does_not_hide_another(store: Store) -> None:
    assert [store.note_changes(1), store.note_changes(2)] == [[1], [2]]
    assert store.projects() == [1, 2]


def test_a_forgotten_project_is_listed_no_more(store: Store) -> None:
    store.remember_project(3)
    store.forget_project(3)

    assert store.projects() == []


def test_a_forgotten_projects_answers_end_after_a_while(store: Store, redis_url: str) -> None:
    store.answer_book.add([answer(1)], kept_s=0)

    store.forget_project(1)

    with connect_redis(redis_url, patience="web", decode=True) as client:
        assert 0 < client.ttl("annotune:main:1:answers:5") <= FORGOTTEN_S
    assert store.answers(1, 5) == [answer(1)]


def test_every_answer_is_kept_in_its_order(store: Store) -> None:
    store.answer_book.add([answer(1), answer(2), answer(3, task=6)], kept_s=0)
    store.answer_book.add([answer(1)], kept_s=0)

    assert store.answers(1, 5) == [answer(1), answer(2), answer(1)]
    assert store.answers(1, 6) == [answer(3, task=6)]


def test_the_newest_answers_are_kept(store: Store) -> None:
    store.answer_book.add((answer(number) for number in range(KEPT + 3)), kept_s=0)

    assert [kept.text for kept in store.answers(1, 5)] == [f"answer {number}" for number in range(3, KEPT + 3)]


def test_a_prompt_is_kept_as_written(store: Store) -> None:
    prompt = ProjectPrompt(text="{text}\n “é” \0", source="command", at=NOON)
    store.set_prompt(1, prompt)

    kept = store.prompt(1)
    assert (kept.text, kept.source, kept.at) == (prompt.text, prompt.source, prompt.at)


def test_numbers_are_given_out_once_also_to_racing_threads(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: store.next_number(1), range(40)))

    assert sorted(numbers) == list(range(1, 41))


def test_a_raised_number_is_not_given_out_again(store: Store) -> None:
    store.raise_number(1, 7)

    assert store.next_number(1) == 8


def test_a_number_is_never_lowered(store: Store) -> None:
    store.raise_number(1, 7)
    store.raise_number(1, 3)

    assert store.next_number(1) == 8


def test_versions_are_oldest_first_and_saved_over(store: Store) -> None:
    for number in (10, 9, 2):
        store.save_version(version(number))
    refused = version(9).model_copy(update={"state": "refused"})
    store.save_version(refused)

    assert store.versions(1) == [version(2), refused, version(10)]


def test_ended_runs_are_newest_first_and_bounded(store: Store) -> None:
    for number in range(RUNS_KEPT + 2):
        store.save_run(TrainingRun(id=str(number), project=1, number=number, state="failed", started_at=NOON))

    assert [run.number for run in store.runs(1)] == list(range(RUNS_KEPT + 1, 1, -1))


def test_one_training_is_wanted_until_it_ended(store: Store) -> None:
    first = TrainingRequest(requested_by="webhook", at=NOON)

    assert [
        store.request_training(1, first),
        store.request_training(1, first.model_copy(update={"requested_by": "cli"})),
    ] == [
        True,
        False,
    ]
    assert store.training_request(1) == first

    store.training_ended(1)

    assert store.training_request(1) is None
    assert store.request_training(1, first)


def test_progress_goes_with_its_training(store: Store) -> None:
    progress = Progress(run="r", stage="train", step=3, steps=40, loss=1.5)
    store.set_progress(1, progress)
    assert store.progress(1) == progress

    store.training_ended(1)
    assert store.progress(1) is None


def test_a_tally_is_kept(store: Store) -> None:
    tally = SyncSummary(usable=3, new=1, left_out={"skipped": 2}, kinds={"typed": 1, "corrected": 2}, at=NOON)
    store.set_tally(1, tally)

    assert store.tally(1) == tally


def test_a_lease_has_one_holder(store: Store) -> None:
    assert [store.take_lease(1, "training", token, 60) for token in "ab"] == [True, False]
    assert store.take_lease(2, "training", "b", 60)
    assert store.lease_held(1, "training")


def test_only_its_holder_renews_and_releases_a_lease(store: Store) -> None:
    store.take_lease(1, "training", "a", 60)
    store.release_lease(1, "training", "b")

    assert [store.renew_lease(1, "training", token, 60) for token in "ab"] == [True, False]

    store.release_lease(1, "training", "a")

    assert not store.lease_held(1, "training")
    assert not store.renew_lease(1, "training", "a", 60)


def test_a_lease_ends_by_itself(store: Store, redis_url: str) -> None:
    store.take_lease(1, "training", "a", 60)
    store.renew_lease(1, "training", "a", 30)
    with connect_redis(redis_url, patience="web", decode=True) as client:
        assert 0 < client.pttl("annotune:main:1:lease:training") <= 30_000


def test_a_worker_that_says_nothing_is_forgotten(store: Store, redis_url: str) -> None:
    store.worker_alive(60)
    assert store.has_worker()
    with connect_redis(redis_url, patience="web", decode=True) as client:
        assert 0 < client.pttl("annotune:main:worker") <= 60_000


@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "hangs"])
@pytest.mark.parametrize("name", CALLS)
def test_without_redis_every_call_says_so_and_names_the_setting(name: str, accepts: bool) -> None:
    with silent_server(accepts=accepts) as url:
        store = Store.connect(url)
        with pytest.raises(StoreUnavailable, match="REDIS_URL"):
            CALLS[name](store)
        store.close()


def test_the_waits_of_the_web_end_within_half_a_second() -> None:
    with connect_redis("redis://127.0.0.1:1/0", patience="web", decode=True) as client:
        waits = client.connection_pool.connection_kwargs
        tries = 1 + waits["retry"].get_retries()

    assert tries * max(waits["socket_timeout"], waits["socket_connect_timeout"]) < 0.5


@pytest.mark.parametrize("url", NOT_OURS)
def test_a_wrong_url_is_one_sentence_that_names_the_setting_and_not_the_value(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as refused:
        Store.connect(url)
    assert "sk-made-up" not in str(refused.value)


def test_a_job_waits_out_a_restart_of_redis_and_nothing_is_lost(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        store = Store.connect(server.url, patience="job")
        store.swap_live(1, None, OURS)
        server.stop()
        asking = threading.Event()

        def end_run() -> bool:
            asking.set()
            return store.swap_live(1, OURS, LLAMA)

        with ThreadPoolExecutor(1) as thread:
            moved = thread.submit(end_run)
            asking.wait()
            server.start()

            assert moved.result()
        assert store.live(1) == LLAMA
        assert store.past(1) == [OURS]
        store.close()
