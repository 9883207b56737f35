"""Long work on a project's tasks: under a lease of a real Redis, and again where Label Studio went away."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble
from pydantic import SecretStr

from annotune.errors import InUse, LabelStudioError, LabelStudioSilent, LabelStudioUnreachable, NotFound
from annotune.lease import LeaseTiming, lease
from annotune.settings import Settings
from annotune.store.store import Store
from curation.context import CurationContext
from curation.patience import LEASE, Check, Waiting, until_done

PROJECT = 4
SHORT = Waiting(away_s=20, retry_s=0.02, settle_s=0.02, passes=3, lease=LeaseTiming(ttl_s=1, renew_s=0.1))


@pytest.fixture
def context(double: LabelStudioDouble, redis_url: str) -> Iterator[CurationContext]:
    double.add_project(PROJECT, questions=2)
    settings = Settings(redis_url=redis_url, label_studio_url=double.url, label_studio_api_key=SecretStr("legacy"))
    made = CurationContext(settings)
    yield made
    made.close()


def test_work_runs_once_under_the_lease_and_its_result_is_returned(context: CurationContext, store: Store) -> None:
    held: list[bool] = []

    def work(check: Check) -> str:
        check()
        held.append(store.leases.held(PROJECT, LEASE))
        return "done"

    assert until_done(context, PROJECT, work, waiting=SHORT) == "done"
    assert held == [True]
    assert not store.leases.held(PROJECT, LEASE)


def test_the_lease_of_a_killed_process_is_waited_for(context: CurationContext, store: Store) -> None:
    store.leases.take(PROJECT, LEASE, "token process 7 on ward-3", ttl_s=60)
    said: list[str] = []

    def notice(sentence: str) -> None:
        said.append(sentence)
        store._redis.pexpire(store.keys.of(PROJECT, f"lease:{LEASE}"), 50)  # as if its time had passed

    assert until_done(context, PROJECT, lambda _check: "done", notice=notice, waiting=SHORT) == "done"
    assert ["process 7 on ward-3" in sentence for sentence in said] == [True]


def test_a_process_that_is_alive_is_not_waited_for(context: CurationContext, store: Store) -> None:
    with lease(store, PROJECT, LEASE, SHORT.lease), pytest.raises(InUse, match=r"being changed by process \d+ on"):
        until_done(context, PROJECT, lambda _check: "done", notice=lambda _: None, waiting=SHORT)


def test_work_stops_where_another_process_took_the_lease(
    context: CurationContext, store: Store, eventually: Callable[..., Any]
) -> None:
    def work(check: Check) -> None:
        store._redis.set(store.keys.of(PROJECT, f"lease:{LEASE}"), "other process 8", px=60_000)

        def stopped() -> bool:
            try:
                check()
            except InUse:
                return True
            return False

        eventually(stopped)
        check()

    with pytest.raises(InUse, match="run it again"):
        until_done(context, PROJECT, work, waiting=SHORT)


def test_the_whole_work_runs_again_where_label_studio_went_away(
    context: CurationContext, double: LabelStudioDouble
) -> None:
    """It refuses the first page, its two repetitions and two looks at its health."""
    passes, said, tries = [], [], []

    def come_back() -> None:
        tries.append(1)
        if len(tries) > 5:
            double.refusal = None

    def work(_check: Check) -> int:
        passes.append(len(passes))
        if len(passes) == 1:
            double.refusal, double.delay = (502, {"detail": "away"}), come_back
        return len(list(context.label_studio.tasks.by_id(PROJECT)))

    assert until_done(context, PROJECT, work, notice=said.append, waiting=SHORT) == 2
    assert passes == [0, 1]
    assert [sentence.partition(":")[0] for sentence in said[-1:]] == ["Label Studio answers again"]


def test_a_label_studio_that_stays_away_is_given_up(context: CurationContext, double: LabelStudioDouble) -> None:
    def work(_check: Check) -> None:
        double.stop()
        context.label_studio.projects.get(PROJECT)

    with pytest.raises(LabelStudioUnreachable, match="is not reachable"):
        until_done(context, PROJECT, work, notice=lambda _: None, waiting=Waiting(away_s=0.1, retry_s=0.02))


@pytest.mark.parametrize("error", [LabelStudioSilent("silent"), LabelStudioUnreachable("away")])
def test_a_request_that_is_always_lost_ends_the_work(context: CurationContext, error: LabelStudioError) -> None:
    passes = []

    def work(_check: Check) -> None:
        passes.append(error)
        raise error

    with pytest.raises(type(error)):
        until_done(context, PROJECT, work, notice=lambda _: None, waiting=SHORT)
    assert len(passes) == SHORT.passes


def test_a_wrong_project_or_a_label_studio_that_never_answered_is_no_reason_to_wait(
    context: CurationContext, double: LabelStudioDouble
) -> None:
    with pytest.raises(NotFound):
        until_done(context, 5, lambda _check: "done")
    double.stop()
    with pytest.raises(LabelStudioUnreachable):
        until_done(context, PROJECT, lambda _check: "done")
