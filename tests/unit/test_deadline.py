"""A moment by which all the work for a request ends."""

import threading

import pytest

from annotune.deadline import Deadline
from annotune.errors import DeadlineExceeded

NOW, LATER, NEVER = Deadline.after(0), Deadline.after(60), Deadline.never()


def test_a_deadline_that_is_over_is_an_error() -> None:
    Deadline.after(10).check()
    with pytest.raises(DeadlineExceeded, match="MODEL_DEADLINE_S"):
        Deadline.after(-1).check()


@pytest.mark.parametrize("deadline", [Deadline.after(-1), NOW, LATER, NEVER])
def test_any_lock_takes_the_seconds_that_are_left(deadline: Deadline) -> None:
    free = threading.Lock()

    assert 0 <= deadline.left_s <= threading.TIMEOUT_MAX
    assert free.acquire(timeout=deadline.left_s)


def test_the_sooner_of_two_is_the_earlier_one() -> None:
    assert NOW.sooner(LATER) == LATER.sooner(NOW) == NOW
    assert LATER.sooner(NEVER) == NEVER.sooner(LATER) == LATER


def test_only_never_has_no_end() -> None:
    assert NEVER.is_never
    assert not LATER.is_never
