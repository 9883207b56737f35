"""The stores on a real Redis."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from store_calls import GPT, LLAMA, NOON, answer, version

from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import Progress, SyncSummary, TrainingRequest, TrainingRun
from annotune.store.answers import MAX_ANSWERS
from annotune.store.live import MAX_PAST
from annotune.store.projects import FORGOTTEN_S
from annotune.store.redis import connect_redis
from annotune.store.runs import MAX_RUNS
from annotune.store.store import Store

OURS = ModelRef(server="ollama", model="annotune/main-p1:v0001-ab", version="v0001", num_ctx=2048)


def test_a_new_project_has_nothing(store: Store) -> None:
    assert (
        store.live.get(1),
        store.prompts.used(1),
        store.changes.summary(1),
        store.training.progress(1),
        store.training.requested(1),
    ) == (None,) * 5
    assert (
        store.live.past(1),
        store.answers.known(1, 1),
        store.versions.all(1),
        store.runs.all(1),
        store.projects.all(),
    ) == ([],) * 5
    assert (store.changes.count(1), store.trained.tried(1), store.workers.alive()) == (0, {}, False)


def test_the_pointer_moves_from_what_it_was(store: Store) -> None:
    assert store.live.swap(1, None, LLAMA)
    assert store.live.swap(1, LLAMA, OURS)
    assert store.live.get(1) == OURS


@pytest.mark.parametrize("expected", [None, GPT, OURS])
def test_the_pointer_does_not_move_from_what_it_is_not(store: Store, expected: ModelRef | None) -> None:
    store.live.swap(1, None, LLAMA)

    assert not store.live.swap(1, expected, OURS)
    assert store.live.get(1) == LLAMA
    assert store.live.past(1) == []


def test_the_pointers_of_projects_are_their_own(store: Store) -> None:
    store.live.swap(1, None, LLAMA)
    store.live.swap(2, None, GPT)

    assert (store.live.get(1), store.live.get(2), store.projects.all()) == (LLAMA, GPT, [1, 2])


def test_of_racing_swaps_exactly_one_wins(store: Store) -> None:
    start = threading.Barrier(8)

    def swap(number: int) -> bool:
        start.wait()
        return store.live.swap(1, None, ModelRef(server="ollama", model=f"m{number}"))

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(swap, range(8)))

    assert won.count(True) == 1
    assert store.live.get(1) == ModelRef(server="ollama", model=f"m{won.index(True)}")


def test_the_past_is_newest_first_and_bounded(store: Store) -> None:
    refs = [ModelRef(server="ollama", model=f"m{number}") for number in range(MAX_PAST + 5)]
    for before, after in zip([None, *refs[:-1]], refs, strict=True):
        store.live.swap(1, before, after)

    assert store.live.past(1) == refs[-2 : -2 - MAX_PAST : -1]


def test_one_changed_job_is_queued_until_it_is_taken(store: Store) -> None:
    assert [store.changes.note(1) for _ in range(50)] == [[1]] + [[]] * 49

    store.changes.take_queued(1)

    assert [store.changes.note(1), store.changes.note(1)] == [[1], []]
    assert store.changes.count(1) == 52


def test_a_change_of_one_project_does_not_hide_another(store: Store) -> None:
    assert [store.changes.note(1), store.changes.note(2)] == [[1], [2]]
    assert store.projects.all() == [1, 2]


def test_a_forgotten_project_is_listed_no_more(store: Store) -> None:
    store.projects.remember(3)
    store.projects.forget(3)

    assert store.projects.all() == []


def test_a_forgotten_projects_answers_end_after_a_while(store: Store, redis_url: str) -> None:
    store.answers.add([answer(1)], kept_s=0)

    store.projects.forget(1)

    with connect_redis(redis_url, patience="web", decode=True) as client:
        assert 0 < client.ttl("annotune:main:1:answers:5") <= FORGOTTEN_S
    assert store.answers.known(1, 5) == [answer(1)]


def test_every_answer_is_kept_in_its_order(store: Store) -> None:
    store.answers.add([answer(1), answer(2), answer(3, task=6)], kept_s=0)
    store.answers.add([answer(1)], kept_s=0)

    assert store.answers.known(1, 5) == [answer(1), answer(2), answer(1)]
    assert store.answers.known(1, 6) == [answer(3, task=6)]


def test_the_newest_answers_are_kept(store: Store) -> None:
    store.answers.add((answer(number) for number in range(MAX_ANSWERS + 3)), kept_s=0)

    assert [kept.text for kept in store.answers.known(1, 5)] == [
        f"answer {number}" for number in range(3, MAX_ANSWERS + 3)
    ]


def test_a_prompt_is_kept_as_written(store: Store) -> None:
    prompt = ProjectPrompt(text="{text}\n “é” \0", source="command", at=NOON)
    store.prompts.add(1, prompt)

    kept = store.prompts.used(1)
    assert (kept.text, kept.source, kept.at) == (prompt.text, prompt.source, prompt.at)


def test_numbers_are_given_out_once_also_to_racing_threads(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: store.versions.next_number(1), range(40)))

    assert sorted(numbers) == list(range(1, 41))


def test_a_raised_number_is_not_given_out_again(store: Store) -> None:
    store.versions.raise_number(1, 7)

    assert store.versions.next_number(1) == 8


def test_a_number_is_never_lowered(store: Store) -> None:
    store.versions.raise_number(1, 7)
    store.versions.raise_number(1, 3)

    assert store.versions.next_number(1) == 8


def test_versions_are_oldest_first_and_saved_over(store: Store) -> None:
    for number in (10, 9, 2):
        store.versions.save(version(number))
    refused = version(9).model_copy(update={"state": "refused"})
    store.versions.save(refused)

    assert store.versions.all(1) == [version(2), refused, version(10)]


def test_ended_runs_are_newest_first_and_bounded(store: Store) -> None:
    for number in range(MAX_RUNS + 2):
        store.runs.save(TrainingRun(id=str(number), project=1, number=number, state="failed", started_at=NOON))

    assert [run.number for run in store.runs.all(1)] == list(range(MAX_RUNS + 1, 1, -1))


def test_one_training_is_requested_until_it_ended(store: Store) -> None:
    first = TrainingRequest(requested_by="webhook", at=NOON)

    assert store.training.request(1, first)
    assert not store.training.request(1, first.model_copy(update={"requested_by": "cli"}))
    assert store.training.requested(1) == first

    store.training.end(1)

    assert store.training.requested(1) is None
    assert store.training.request(1, first)


def test_progress_goes_with_its_training(store: Store) -> None:
    progress = Progress(run="r", stage="train", step=3, steps=40, loss=1.5)
    store.training.set_progress(1, progress)
    assert store.training.progress(1) == progress

    store.training.end(1)
    assert store.training.progress(1) is None


def test_the_summary_of_a_sync_is_kept(store: Store) -> None:
    summary = SyncSummary(usable=3, new=1, left_out={"skipped": 2}, kinds={"typed": 1, "corrected": 2}, at=NOON)
    store.changes.set_summary(1, summary)

    assert store.changes.summary(1) == summary


def test_a_lease_has_one_holder(store: Store) -> None:
    assert [store.leases.take(1, "training", token, 60) for token in "ab"] == [True, False]
    assert store.leases.take(2, "training", "b", 60)
    assert store.leases.held(1, "training")


def test_only_its_holder_renews_and_releases_a_lease(store: Store) -> None:
    store.leases.take(1, "training", "a", 60)
    store.leases.release(1, "training", "b")

    assert [store.leases.renew(1, "training", token, 60) for token in "ab"] == [True, False]

    store.leases.release(1, "training", "a")

    assert not store.leases.held(1, "training")
    assert not store.leases.renew(1, "training", "a", 60)


def test_a_lease_ends_by_itself(store: Store, redis_url: str) -> None:
    store.leases.take(1, "training", "a", 60)
    store.leases.renew(1, "training", "a", 30)
    with connect_redis(redis_url, patience="web", decode=True) as client:
        assert 0 < client.pttl("annotune:main:1:lease:training") <= 30_000


def test_a_worker_without_a_heartbeat_is_forgotten(store: Store, redis_url: str) -> None:
    store.workers.heartbeat(60)
    assert store.workers.alive()
    with connect_redis(redis_url, patience="web", decode=True) as client:
        assert 0 < client.pttl("annotune:main:worker") <= 60_000
