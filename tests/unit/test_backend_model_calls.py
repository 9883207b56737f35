"""Equal questions at once make one call, replies are cached for a while, and some threads stay free."""

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from annotune.deadline import Deadline
from annotune.errors import ModelServerBusy, ModelServerError
from annotune.servers.pool import Servers
from annotune.settings import Settings
from backend.model_calls import CACHED_S, MAX_CACHED, ModelCalls

Eventually = Callable[..., object]


@pytest.fixture
def answers() -> ModelCalls:
    settings = Settings()
    return ModelCalls(settings, Servers(settings))


class Task:
    """Something large."""


def broken() -> str:
    raise ModelServerError("gone")


def test_the_same_question_at_once_is_asked_once(answers: ModelCalls, eventually: Eventually) -> None:
    go_on, asked = threading.Event(), []

    def ask() -> tuple[str, ...]:
        asked.append(1)
        assert go_on.wait(10)
        return ("answer",)

    def somebody_waits() -> bool:
        return any(running._condition._waiters for running in answers._running.values())

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(answers.ask_once, "key", ask, Deadline.after(10), cache=True) for _ in range(2)]
        eventually(somebody_waits)
        go_on.set()

    assert [call.result() for call in both] == [("answer",)] * 2
    assert len(asked) == 1


def test_the_same_question_later_is_asked_again(answers: ModelCalls) -> None:
    asked: list[int] = []
    for _ in range(2):
        answers.ask_once("key", lambda: (str(asked.append(1)),), Deadline.after(10), cache=False)

    assert len(asked) == 2


def test_what_a_failed_question_held_is_free_at_once(answers: ModelCalls) -> None:
    held: list[weakref.ref[Task]] = []

    def ask() -> str:
        task = Task()
        held.append(weakref.ref(task))
        return broken()

    gc.disable()
    try:
        with pytest.raises(ModelServerError) as caught:
            answers.ask_once("key", ask, Deadline.after(10), cache=False)  # type: ignore[arg-type]
        del caught
        assert held[0]() is None
    finally:
        gc.enable()


def test_an_error_is_not_kept(answers: ModelCalls) -> None:
    with pytest.raises(ModelServerError):
        answers.ask_once("key", broken, Deadline.after(10), cache=True)  # type: ignore[arg-type]

    assert answers.ask_once("key", lambda: ("fine",), Deadline.after(10), cache=True) == ("fine",)


@pytest.mark.parametrize(("threads", "places"), [(1, 1), (2, 1), (8, 7), (96, 88)])
def test_some_threads_stay_free_for_what_is_answered_at_once(threads: int, places: int) -> None:
    settings = Settings(threads=threads)
    answers = ModelCalls(settings, Servers(settings))
    with ExitStack() as held:
        for _ in range(places):
            held.enter_context(answers.slot())
        with pytest.raises(ModelServerBusy, match="THREADS"), answers.slot():
            pass
    with answers.slot():
        pass


def test_what_is_to_be_remembered_is_for_ten_seconds() -> None:
    now, asked = [100.0], []
    settings = Settings()
    answers = ModelCalls(settings, Servers(settings), clock=lambda: now[0])

    def ask() -> str:
        asked.append(1)
        return f"answer {len(asked)}"

    said = []
    for seconds in (0, CACHED_S - 1, 2):
        now[0] += seconds
        said.append(answers.ask_once("key", ask, Deadline.after(10), cache=True))

    assert said == ["answer 1", "answer 1", "answer 2"]
    assert answers.ask_once("key", ask, Deadline.after(10), cache=False) == "answer 3"


def test_the_memory_is_bounded() -> None:
    now = [100.0]
    settings = Settings()
    answers = ModelCalls(settings, Servers(settings), clock=lambda: now[0])
    for number in range(MAX_CACHED + 50):
        answers.ask_once(number, lambda: "x", Deadline.after(10), cache=True)
    assert len(answers._cache) == MAX_CACHED

    now[0] += CACHED_S + 1
    answers.ask_once("late", lambda: "x", Deadline.after(10), cache=True)
    assert len(answers._cache) == 1
