"""Asking side by side, within one deadline, and once for the same question."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from annotune.errors import DeadlineExceeded, ModelServerBusy, ModelServerError
from annotune.parallel import Deadline, side_by_side
from annotune.servers.pool import Servers
from annotune.settings import Settings
from backend.answers import Answers

Eventually = Callable[..., object]


@pytest.fixture
def answers() -> Answers:
    settings = Settings()
    return Answers(settings, Servers(settings))


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

    assert side_by_side([call(number) for number in range(3)], limit=3) == [0, 1, 2]


def test_the_first_error_ends_it_while_others_still_run() -> None:
    go_on = threading.Event()
    try:
        with pytest.raises(ModelServerError, match="gone"):
            side_by_side([lambda: str(go_on.wait(10)), broken], limit=2)
    finally:
        go_on.set()


def test_calls_that_have_not_begun_are_not_made_after_an_error() -> None:
    made: list[int] = []
    with pytest.raises(ModelServerError):
        side_by_side([broken, *[lambda: made.append(1) or broken() for _ in range(50)]], limit=1)

    assert len(made) < 50


def test_one_call_is_made_in_the_callers_own_thread() -> None:
    assert side_by_side([threading.get_ident], limit=8) == [threading.get_ident()]


@pytest.mark.parametrize("calls", [[], [lambda: 1]])
def test_few_calls_need_no_pool(calls: list) -> None:
    assert side_by_side(calls, limit=1) == [1] * len(calls)


def test_the_same_question_at_once_is_asked_once(answers: Answers, eventually: Eventually) -> None:
    go_on, asked = threading.Event(), []

    def ask() -> tuple[str, ...]:
        asked.append(1)
        assert go_on.wait(10)
        return ("answer",)

    def somebody_waits() -> bool:
        return any(running._condition._waiters for running in answers._running.values())

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(answers.ask_once, "key", ask, Deadline.after(10)) for _ in range(2)]
        eventually(somebody_waits)
        go_on.set()

    assert [call.result() for call in both] == [("answer",)] * 2
    assert len(asked) == 1


def test_the_same_question_later_is_asked_again(answers: Answers) -> None:
    asked: list[int] = []
    for _ in range(2):
        answers.ask_once("key", lambda: (str(asked.append(1)),), Deadline.after(10))

    assert len(asked) == 2


def test_an_error_is_not_kept(answers: Answers) -> None:
    with pytest.raises(ModelServerError):
        answers.ask_once("key", broken, Deadline.after(10))  # type: ignore[arg-type]

    assert answers.ask_once("key", lambda: ("fine",), Deadline.after(10)) == ("fine",)


def test_a_deadline_that_is_over_is_an_error() -> None:
    assert Deadline.after(10).left_s > 0
    with pytest.raises(DeadlineExceeded, match="MODEL_DEADLINE_S"):
        _ = Deadline.after(-1).left_s


@pytest.mark.parametrize(("threads", "places"), [(1, 1), (2, 1), (8, 7), (96, 88)])
def test_some_threads_stay_free_for_what_is_answered_at_once(threads: int, places: int) -> None:
    settings = Settings(threads=threads)
    answers = Answers(settings, Servers(settings))
    with ExitStack() as held:
        for _ in range(places):
            held.enter_context(answers.admitted())
        with pytest.raises(ModelServerBusy, match="THREADS"), answers.admitted():
            pass
    with answers.admitted():
        pass
