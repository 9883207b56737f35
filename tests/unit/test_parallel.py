"""Calls in parallel threads."""

import gc
import re
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    AnswerRefused,
    DeadlineExceeded,
    ModelServerError,
    ModelServerUnreachable,
    Unexpected,
)
from annotune.parallel import FAIR_S, map_within_deadline, run_bounded, run_parallel

Eventually = Callable[..., object]


class Task:
    """Something large."""


def broken() -> str:
    raise ModelServerError("gone")


def test_results_keep_the_order_of_the_calls() -> None:
    turn = [threading.Event() for _ in range(3)]

    def call(number: int) -> Callable[[], int]:
        def answer() -> int:
            if number < 2:
                assert turn[number + 1].wait(10)  # the last one answers first
            turn[number].set()
            return number

        return answer

    assert run_parallel([call(number) for number in range(3)], limit=3) == [0, 1, 2]


def test_the_first_error_ends_it_while_others_still_run() -> None:
    go_on = threading.Event()
    try:
        with pytest.raises(ModelServerError, match="gone"):
            run_parallel([lambda: str(go_on.wait(10)), broken], limit=2)
    finally:
        go_on.set()


def test_calls_that_have_not_begun_are_not_made_after_an_error() -> None:
    made: list[int] = []
    with pytest.raises(ModelServerError):
        run_parallel([broken, *[lambda: made.append(1) or broken() for _ in range(50)]], limit=1)

    assert len(made) < 50


def test_one_call_is_made_in_the_callers_own_thread() -> None:
    assert run_parallel([threading.get_ident], limit=8) == [threading.get_ident()]


@pytest.mark.parametrize("calls", [[], [lambda: 1]])
def test_few_calls_need_no_pool(calls: list) -> None:
    assert run_parallel(calls, limit=1) == [1] * len(calls)


def test_each_call_has_its_result_or_its_error() -> None:
    def call(number: int) -> Callable[[Deadline], int]:
        def answer(_: Deadline) -> int:
            if number % 2:
                raise AnswerRefused(f"no {number}")
            return number

        return answer

    outcomes = map_within_deadline([call(number) for number in range(5)], 2, Deadline.after(10))

    assert [str(one) if isinstance(one, AnnotuneError) else one for one in outcomes] == [0, "no 1", 2, "no 3", 4]


def test_after_what_all_would_meet_no_more_calls_are_made() -> None:
    made = []

    def call(_: Deadline) -> int:
        made.append(1)
        raise ModelServerUnreachable("away")

    outcomes = map_within_deadline([call] * 50, 1, Deadline.after(10))

    assert len(made) == 1
    assert [str(one) for one in outcomes] == ["away"] * 50


def test_an_error_that_nobody_foresaw_is_its_own_calls_alone(caplog: pytest.LogCaptureFixture) -> None:
    def call(number: int) -> Callable[[Deadline], int]:
        def answer(_: Deadline) -> int:
            return number if number % 2 else int(f"canary {number}")

        return answer

    first, second, third, fourth = map_within_deadline([call(number) for number in range(4)], 2, Deadline.after(10))

    assert (second, fourth) == (1, 3)
    for fault in (first, third):
        assert isinstance(fault, Unexpected)
        assert re.fullmatch("an unexpected error: see the log under [0-9a-f]{8}", str(fault))
        assert caplog.text.count(f"unexpected error {str(fault)[-8:]}\nTraceback") == 1
    assert "ValueError" in caplog.text
    assert "canary 0" not in caplog.text  # a message may quote what people wrote


def test_at_the_deadline_what_still_runs_is_left() -> None:
    go_on = threading.Event()

    def call(number: int) -> Callable[[Deadline], int]:
        return lambda _: number or (go_on.wait(10) and number)

    try:
        slow, fast = map_within_deadline([call(0), call(1)], 2, Deadline.after(0.2))
    finally:
        go_on.set()

    assert isinstance(slow, DeadlineExceeded)
    assert fast == 1


@pytest.mark.parametrize(
    ("tasks", "limit", "share_s"), [(1, 8, 90), (8, 8, 90), (16, 8, 45), (16, 1, FAIR_S), (250, 8, FAIR_S)]
)
def test_a_call_gets_its_share_of_what_is_left(tasks: int, limit: int, share_s: float) -> None:
    shares: list[float] = []
    map_within_deadline([lambda deadline: shares.append(deadline.left_s)] * tasks, limit, Deadline.after(90))

    assert len(shares) == tasks
    assert shares[0] == pytest.approx(share_s, abs=1)
    assert shares[-1] == pytest.approx(90, abs=1)  # the last ones may use all that is left


def test_what_a_failed_call_held_is_free_at_once(eventually: Eventually) -> None:
    """Without the garbage collector, which reaches large old cycles last."""
    held: list[weakref.ref[Task]] = []

    def fail(_: Deadline) -> str:
        task = Task()
        held.append(weakref.ref(task))
        raise ModelServerError("gone")

    gc.disable()
    try:
        made = map_within_deadline([fail, fail, fail], limit=2, deadline=Deadline.after(10))
        assert all(isinstance(one, ModelServerError) for one in made)
        del made
        eventually(lambda: len(held) == 3 and not any(reference() for reference in held))
    finally:
        gc.enable()


def test_all_items_are_worked_on_and_none_is_read_far_ahead() -> None:
    read, worked, lock, ahead = [0], [0], threading.Lock(), [0]

    def items() -> Iterator[int]:
        for number in range(500):
            read[0] += 1
            with lock:
                ahead[0] = max(ahead[0], read[0] - worked[0])
            yield number

    def work(_number: int) -> None:
        with lock:
            worked[0] += 1

    run_bounded(items(), work, 4)

    assert (worked, ahead[0] <= 4 + 2) == ([500], True)


def test_an_error_ends_it_and_what_is_under_way_is_finished() -> None:
    begun, finished, both = [], [], threading.Barrier(2)

    def work(number: int) -> None:
        begun.append(number)
        if number < 2:
            both.wait(10)
        if number == 0:
            raise ValueError("broken")
        finished.append(number)

    with pytest.raises(ValueError, match="broken"):
        run_bounded(iter(range(1000)), work, 2)

    assert 1 in finished
    assert sorted(begun) == sorted({0, *finished})
    assert len(begun) < 1000


def test_nothing_to_do_is_done() -> None:
    run_bounded(iter(()), lambda _item: pytest.fail("there is nothing"), 3)
