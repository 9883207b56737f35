"""The answer log while Redis is away. With a Redis: see the contract tests of Label Studio."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from annotune.answer import Answer
from annotune.errors import StoreUnavailable
from annotune.store.store import Store
from backend.answer_log import AnswerLog
from backend.spool import Spool


def answer(text: str, task: int = 1) -> Answer:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Answer(project=4, task=task, prompt="p", prompt_sha="s", text=text, model_version="m", at=at)


@pytest.fixture
def log(tmp_path: Path) -> AnswerLog:
    """Nobody listens at port 1."""
    return AnswerLog(Store.connect("redis://127.0.0.1:1/0"), Spool(tmp_path / "spool"), kept_s=0)


def test_adding_never_fails_and_keeps_the_order(log: AnswerLog) -> None:
    log.add([answer("first")])
    log.add([answer("second"), answer("elsewhere", task=2)])

    assert [kept.text for kept in log.spool.pending(4, 1)] == ["first", "second"]


def test_what_was_given_before_is_not_known(log: AnswerLog) -> None:
    log.add([answer("first")])
    with pytest.raises(StoreUnavailable):
        log.read(4, 1)


def test_nothing_is_certain(log: AnswerLog) -> None:
    assert "Redis failed" in log.why_incomplete([])


def test_what_cannot_be_written_down_goes_on_waiting(log: AnswerLog) -> None:
    log.add([answer("first")])
    with pytest.raises(StoreUnavailable):
        log.flush()

    assert [kept.text for kept in log.spool.pending(4, 1)] == ["first"]
