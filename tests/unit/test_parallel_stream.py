"""Calls without end, a few at a time."""

import threading
from collections.abc import Iterator

import pytest

from annotune.parallel import run_bounded


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
