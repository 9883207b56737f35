"""The spool's files are read by all processes, drained by one of them, and bounded."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from annotune.answer import Answer
from backend.spool import Spool

ROOT = Path(__file__).resolve().parents[2]
FILES = 1500


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
    assert texts(other.pending(4, 1)) == ["one \u2028 \U0001f48a"]

    mine.add([answer("two"), answer("elsewhere", task=2)])

    assert texts(other.pending(4, 1)) == ["one \u2028 \U0001f48a", "two"]
    assert other.count() == 3


def test_only_the_owner_writes_down_what_it_still_holds(folder: Path) -> None:
    mine, other = Spool(folder), Spool(folder)
    mine.add([answer("one")])
    written: list[Answer] = []

    other.drain(written.extend)
    assert written == []
    mine.drain(written.extend)

    assert texts(written) == ["one"]
    assert (mine.count(), other.count(), list(folder.iterdir())) == (0, 0, [])


def test_what_a_process_left_is_written_down_by_the_next(folder: Path) -> None:
    gone = Spool(folder)
    gone.add([answer("one"), answer("two")])
    gone.close()  # as the kernel does for a process that was killed
    written: list[Answer] = []

    Spool(folder).drain(written.extend)

    assert texts(written) == ["one", "two"]
    assert list(folder.iterdir()) == []


def test_an_answer_that_was_cut_off_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = Spool(folder)
    gone.add([answer("one"), answer("two")])
    gone.close()
    [path] = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    written: list[Answer] = []

    assert texts(Spool(folder).pending(4, 1)) == ["one"]
    Spool(folder).drain(written.extend)

    assert texts(written) == ["one"]
    assert "cut off" in caplog.text


def test_what_is_refused_stays(folder: Path) -> None:
    spool = Spool(folder)
    spool.add([answer("one")])

    def refuse(_: list[Answer]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        spool.drain(refuse)

    assert texts(spool.pending(4, 1)) == ["one"]
    spool.add([answer("two")])
    assert sorted(texts(spool.pending(4, 1))) == ["one", "two"]


def test_where_it_is_full_a_mark_is_left_that_all_processes_read(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, other = Spool(folder, max_bytes=300), Spool(folder)
    spool.add([answer("one" * 20), answer("two" * 20, task=2), answer("three" * 20, task=3), answer("four", task=3)])

    assert [kept.lost for kept in other.pending(4, 1)] == [False]
    assert [(kept.lost, kept.text, kept.prompt) for kept in other.pending(4, 3)] == [(True, "", "")] * 2
    assert (spool.dropped, spool.count(), spool.overflowed) == (3, 4, False)
    assert caplog.text.count("is full") == 1


def test_where_not_even_a_mark_has_room_nothing_is_certain_any_more(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(folder, max_bytes=300, max_marker_bytes=200)
    spool.add(answer("one", task) for task in range(9))

    assert spool.overflowed
    assert spool.count() < 9
    assert caplog.text.count("no room for markers") == 1


def test_no_file_is_taken_for_one_that_was_left_while_its_owner_begins_it(folder: Path) -> None:
    taken: list[Answer] = []
    over = threading.Event()

    def take_what_is_left() -> None:
        spool = Spool(folder)
        while not over.is_set():
            spool.drain(taken.extend)

    with ThreadPoolExecutor(2) as threads:
        takers = [threads.submit(take_what_is_left) for _ in range(2)]
        mine = Spool(folder)
        for number in range(FILES):
            mine.add([answer(str(number))])
            mine.close()
        over.set()
        for taker in takers:
            taker.result()
    Spool(folder).drain(taken.extend)

    assert {one.text for one in taken} == set(map(str, range(FILES)))


def test_what_waits_in_memory_is_found_while_it_is_written_down(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool")
    spool.add([answer("one")])
    found: list[list[str]] = []

    spool.drain(lambda _: found.append(texts(spool.pending(4, 1))))

    assert found == [["one"]]
    assert spool.pending(4, 1) == []


def test_a_disk_that_is_full_spoils_no_other_answer(tmp_path: Path) -> None:
    """Run in its own process, since the limit counts for all its files."""
    script = f"""
import logging, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from annotune.answer import Answer
from backend.spool import Spool
logging.disable(logging.CRITICAL)
def answer(text, task):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Answer(project=4, task=task, prompt="p", prompt_sha="s", text=text, model_version="m", at=at)
spool = Spool(Path({str(tmp_path / "spool")!r}))
spool.add([answer("one", 1)])
size = sum(path.stat().st_size for path in Path({str(tmp_path / "spool")!r}).iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
spool.add([answer("two", 2)])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.add([answer("three", 3)])
print([[found.text for found in spool.pending(4, task)] for task in (1, 2, 3)])
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.stdout == "[['one'], ['two'], ['three']]\n", ended.stderr


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
    assert texts(spool.pending(4, 1)) == ["one"]
    spool.drain(written.extend)

    assert texts(written) == ["one"]
    assert spool.count() == 0
