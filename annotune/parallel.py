"""Calls in parallel threads."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, as_completed, wait
from typing import TypeVar

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ConfigurationError, DeadlineExceeded, KeyRefused, ModelServerUnreachable
from annotune.log import log_unexpected

Item = TypeVar("Item")
Result = TypeVar("Result")
FAIR_S = 30.0
# Errors that every other call would meet too.
FOR_ALL = (ModelServerUnreachable, KeyRefused, ConfigurationError)


def run_parallel(calls: Sequence[Callable[[], Result]], limit: int) -> list[Result]:
    """The results of the calls, in their order, with at most `limit` calls at once.

    The first error is raised at once. Calls that have not begun are then not made.
    """
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
    """The result or the error of each call, in their order, with at most `limit` calls at once.

    Each call gets a deadline of its own: an equal share of the time left, and at least `FAIR_S`. So a call that hangs does
    not hold its place until the end. After an error in `FOR_ALL`, calls that have not begun are not made. Calls that still
    run at the deadline are left behind.
    """
    for_all: list[AnnotuneError] = []
    waiting = itertools.count(len(calls), -1)

    def attempt(call: Callable[[Deadline], Result]) -> Result | AnnotuneError:
        if for_all:
            return for_all[0]
        try:
            deadline.check()
            rounds = math.ceil(next(waiting) / limit)
            return call(deadline.sooner(Deadline.after(max(FAIR_S, deadline.left_s / rounds))))
        except AnnotuneError as error:
            if isinstance(error, FOR_ALL):
                for_all.append(error)
            # The frames of a traceback refer to the future, which holds the error. Such a cycle would free the tasks late.
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - an unexpected error costs only its own task the answer
            return log_unexpected(error)

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
    """Call `work(item)` for each item, at most `limit` at once. Items are read as places come free.

    After an error of `work`, or Ctrl-C, the calls that run are finished, and no other begins.
    """
    pool = ThreadPoolExecutor(limit, thread_name_prefix="stream")
    under_way: set[Future[object]] = set()
    try:
        for item in items:
            under_way.add(pool.submit(work, item))
            if len(under_way) > limit:  # one more than run, so that each place is filled while an item is read
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in as_completed(under_way):
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)
