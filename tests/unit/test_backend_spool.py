"""The spool's files: read by all processes, written down by whoever comes first, bounded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from annotune.example import Answer
from backend.spool import Spool


def answer(text: str, task: int = 1) -> Answer:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Answer(project=4, task=task, prompt="p", prompt_sha="s", text=text, model_version="m", at=at)


def texts(answers: list[Answer]) -> list[str]:
    return [one.text for one in answers]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_another_process_reads_what_waits(folder: Path) -> None:
    mine, other = Spool(folder), Spool(folder)
    mine.add([answer("one \u2028 \U0001f48a")])
    assert texts(other.waiting(4, 1)) == ["one \u2028 \U0001f48a"]

    mine.add([answer("two"), answer("elsewhere", task=2)])

    assert texts(other.waiting(4, 1)) == ["one \u2028 \U0001f48a", "two"]
    assert other.count() == 3


def test_only_the_owner_writes_down_what_it_still_holds(folder: Path) -> None:
    mine, other = Spool(folder), Spool(folder)
    mine.add([answer("one")])
    written: list[Answer] = []

    other.empty(written.extend)
    assert written == []
    mine.empty(written.extend)

    assert texts(written) == ["one"]
    assert (mine.count(), other.count(), list(folder.iterdir())) == (0, 0, [])


def test_what_a_process_left_is_written_down_by_the_next(folder: Path) -> None:
    gone = Spool(folder)
    gone.add([answer("one"), answer("two")])
    gone.close()  # as the kernel does for a process that was killed
    written: list[Answer] = []

    Spool(folder).empty(written.extend)

    assert texts(written) == ["one", "two"]
    assert list(folder.iterdir()) == []


def test_an_answer_that_was_cut_off_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = Spool(folder)
    gone.add([answer("one"), answer("two")])
    gone.close()
    [path] = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    written: list[Answer] = []

    assert texts(Spool(folder).waiting(4, 1)) == ["one"]
    Spool(folder).empty(written.extend)

    assert texts(written) == ["one"]
    assert "cut off" in caplog.text


def test_what_is_refused_stays(folder: Path) -> None:
    spool = Spool(folder)
    spool.add([answer("one")])

    def refuse(_: list[Answer]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        spool.empty(refuse)

    assert texts(spool.waiting(4, 1)) == ["one"]
    spool.add([answer("two")])
    assert sorted(texts(spool.waiting(4, 1))) == ["one", "two"]


def test_where_it_is_full_answers_are_dropped_and_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(folder, most_bytes=300)
    spool.add([answer("one"), answer("two", task=2), answer("three", task=3), answer("four", task=3)])

    assert spool.count() + spool.dropped == 4
    assert spool.dropped
    assert not spool.has_dropped(4, 1)
    assert spool.has_dropped(4, 3)
    assert caplog.text.count("is full") == 1


def test_nobody_else_can_read_it(folder: Path) -> None:
    Spool(folder).add([answer("one")])

    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_without_a_folder_answers_wait_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool")
    spool.add([answer("one")])
    written: list[Answer] = []

    assert "SPOOL_DIR" in spool.check()
    assert "SPOOL_DIR" in caplog.text
    assert texts(spool.waiting(4, 1)) == ["one"]
    spool.empty(written.extend)

    assert texts(written) == ["one"]
    assert spool.count() == 0
