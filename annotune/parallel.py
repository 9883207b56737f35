"""Calls side by side, within one deadline."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, as_completed, wait
from typing import TypeVar

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ConfigurationError, DeadlineExceeded, KeyRefused, ModelServerUnreachable
from annotune.log import unexpected

Item = TypeVar("Item")
Result = TypeVar("Result")
FAIR_S = 30.0
# What one call meets, all that follow would meet.
FOR_ALL = (ModelServerUnreachable, KeyRefused, ConfigurationError)


def run_parallel(calls: Sequence[Callable[[], Result]], limit: int) -> list[Result]:
    """The results in order; the first error ends it at once, and calls that have not begun are not made."""
    if len(calls) == 1:
        return [calls[0]()]
    pool = ThreadPoolExecutor(max(1, min(limit, len(calls))), thread_name_prefix="predict")
    try:
        futures = [pool.submit(call) for call in calls]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for failed in (future.exception() for future in done):
            if failed is not None:
                raise failed
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def map_within_deadline(
    calls: Sequence[Callable[[Deadline], Result]], limit: int, deadline: Deadline
) -> list[Result | AnnotuneError]:
    """The result of each call in order, or why it has none: whatever one meets, the others' results are kept.

    A call is given a deadline of its own: an equal share of what is left, and `FAIR_S` at least, so that one that hangs
    does not keep its place until the end. After an error that all would meet, the calls that have not begun are not made;
    at the deadline those still running are left.
    """
    met: list[AnnotuneError] = []
    waiting = itertools.count(len(calls), -1)

    def attempt(call: Callable[[Deadline], Result]) -> Result | AnnotuneError:
        if met:
            return met[0]
        try:
            rounds = math.ceil(next(waiting) / limit)
            return call(Deadline.after(min(deadline.left_s, max(FAIR_S, deadline.left_s / rounds))))
        except AnnotuneError as error:
            if isinstance(error, FOR_ALL):
                met.append(error)
            # A traceback's frames lead to the future that holds the error: a circle, and the tasks in it come free late.
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a fault that one odd task brings out costs no other its answer
            return unexpected(error)

    if len(calls) == 1:
        return [attempt(calls[0])]
    pool = ThreadPoolExecutor(max(1, min(limit, len(calls))), thread_name_prefix="predict")
    try:
        futures = [pool.submit(attempt, call) for call in calls]
        wait(futures, timeout=deadline.left_s)
        late = DeadlineExceeded("not answered in time: ask for fewer tasks at once, or raise MODEL_DEADLINE_S")
        return [future.result() if future.done() else late for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def run_bounded(items: Iterable[Item], work: Callable[[Item], object], limit: int) -> None:
    """`work(item)` for each item, at most `limit` at a time; items are read as places come free.

    An error of `work`, and Ctrl-C, ends it: what is under way is finished, and no more is begun.
    """
    pool = ThreadPoolExecutor(limit, thread_name_prefix="stream")
    under_way: set[Future[object]] = set()
    try:
        for item in items:
            under_way.add(pool.submit(work, item))
            if len(under_way) > limit:  # one waits, so that no place is free while an item is read
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in as_completed(under_way):
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)
