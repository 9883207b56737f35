"""What workers say of themselves, in a real Redis."""

import pytest

from annotune.store.store import Store
from annotune.store.workers import Check, WorkerReport

WELL, ILL = Check(ok=True, detail="well"), Check(ok=False, detail="ill")
ABLE = WorkerReport(label_studio=WELL, recipe=WELL, trainer=WELL, by="able")
UNABLE = WorkerReport(label_studio=WELL, recipe=WELL, trainer=ILL, by="unable")


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


@pytest.mark.parametrize(
    ("findings", "cannot_learn", "cannot_train"),
    [
        (ABLE, "", ""),
        (UNABLE, "", "ill"),
        (WorkerReport(label_studio=ILL, recipe=WELL, trainer=WELL), "ill", "ill"),
        (WorkerReport(), "", ""),
    ],
)
def test_what_a_worker_cannot_is_told_with_the_reason(
    findings: WorkerReport, cannot_learn: str, cannot_train: str
) -> None:
    assert (findings.cannot_learn, findings.cannot_train) == (cannot_learn, cannot_train)


def test_what_one_found_is_read_by_all(store: Store) -> None:
    assert store.workers.last_report() is None
    store.workers.report(UNABLE, 60)
    assert store.workers.last_report() == UNABLE
    store.workers.report(ABLE, 60)
    assert store.workers.last_report() == ABLE


def test_a_worker_that_cannot_train_does_not_speak_for_one_that_can(store: Store) -> None:
    store.workers.report(ABLE, 60)
    store.workers.report(UNABLE, 60)

    assert store.workers.last_report() == ABLE
    assert 0 < store._redis.pttl(store.keys.findings) <= 60_000


def test_what_a_worker_finds_next_replaces_what_it_said_before(store: Store) -> None:
    ill = WorkerReport(label_studio=ILL, recipe=WELL, trainer=WELL, by="able")
    for found in (WorkerReport(by="able"), ABLE, ill, ABLE):
        store.workers.report(found, 60)
        assert store.workers.last_report() == found


def test_a_worker_that_only_begins_is_not_taken_for_one_that_can_train(store: Store) -> None:
    store.workers.report(WorkerReport(by="beginning"), 60)
    store.workers.report(UNABLE, 60)
    assert store.workers.last_report() == UNABLE

    store.workers.report(ABLE, 60)
    store.workers.report(WorkerReport(by="beginning"), 60)
    assert store.workers.last_report() == ABLE


def test_what_a_worker_said_goes_with_it(store: Store) -> None:
    store.workers.heartbeat(60)
    store.workers.report(ABLE, 60)

    store.workers.leave()

    assert (store.workers.alive(), store.workers.last_report()) == (False, None)


@pytest.mark.parametrize("kind", ["set", "sadd"])
def test_what_another_version_wrote_is_passed_over_and_written_anew(store: Store, kind: str) -> None:
    getattr(store._redis, kind)(store.keys.findings, "<?xml?>")

    assert store.workers.last_report() is None
    store.workers.report(ABLE, 60)
    assert store.workers.last_report() == ABLE
