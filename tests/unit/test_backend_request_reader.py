"""The reader returns the same request however its bytes are split, and refuses what breaks a limit."""

import pytest

from backend.request_reader import MAX_HEAD_BYTES, RequestReader

HEAD = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def read(*pieces: bytes, largest: int = 100) -> RequestReader:
    reader = RequestReader(largest)
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_request_is_whole_however_its_bytes_come(step: int, before: bytes) -> None:
    sent = before + HEAD + b"hello"
    reader = RequestReader(100)
    for at in range(0, len(sent), step):
        assert reader.take() is None
        reader.feed(sent[at : at + step])
    complete = reader.take()

    assert complete is not None
    assert (complete.head, complete.body, complete.rest, complete.too_large) == (HEAD, b"hello", b"", False)


def test_what_comes_after_it_is_the_next_requests() -> None:
    complete = read(HEAD + b"hello" + GET).take()

    assert complete is not None
    assert (complete.body, complete.rest) == (b"hello", GET)
    following = RequestReader(100, complete.rest)
    following.feed(b"")
    assert following.take() is not None


def test_a_body_over_the_limit_is_not_waited_for() -> None:
    complete = read(HEAD, largest=4).take()

    assert complete is not None
    assert (complete.too_large, complete.body) == (True, b"")


def test_what_is_missing_is_known_once_the_head_is_there() -> None:
    assert read(HEAD[:-1]).missing_bytes == 0
    assert read(HEAD, b"he").missing_bytes == 3


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", 411),
        (b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n", 411),
        (b"\r\nPOST / HTTP/1.1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\ntransfer-encoding : x\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-length : 1\r\n\r\n", 400),
        *[
            (b"GET / HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % value, 400)
            for value in (b"", b"-1", b"1,1", b"0x1", b"9" * 30)
        ],
        (b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
    ],
)
def test_what_is_not_clear_is_refused(head: bytes, status: int) -> None:
    refusal = read(head).refusal

    assert refusal is not None
    assert refusal.status == status


@pytest.mark.parametrize(
    "head", [HEAD, GET, b"HEAD / HTTP/1.0\r\n\r\n", b"DELETE / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"]
)
def test_what_is_clear_is_not_refused(head: bytes) -> None:
    assert read(head).refusal is None


def test_the_word_to_go_on_is_wanted_once_and_only_for_a_body_that_may_come() -> None:
    expecting = HEAD.replace(b"Host", b"expect: 100-Continue\r\nHost")
    reader = read(expecting)

    assert [reader.take_continue(), reader.take_continue()] == [True, False]
    assert not read(expecting, b"hello").take_continue()
    assert not read(expecting, largest=4).take_continue()
    assert not read(HEAD).take_continue()
