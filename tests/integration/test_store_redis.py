"""Connections to Redis: what the two patiences wait for, and what is said of each failure."""

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis
from services import Eventually
from store_calls import CALLS, LLAMA

from annotune.errors import ConfigurationError, StoreUnavailable
from annotune.models import ModelRef
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from embedded.redis import RedisServer

WRITES: dict[str, Callable[[Store], object]] = {
    "a command": lambda store: store.projects.remember(1),
    "a transaction": lambda store: store.changes.note(1),
    "a script": lambda store: store.versions.raise_number(1, 3),
}
REFUSED = {
    "full": lambda client: (client.config_set("maxmemory-policy", "noeviction"), client.config_set("maxmemory", 1)),
    "replica": lambda client: client.replicaof("127.0.0.1", 1),
    "password": lambda client: client.config_set("requirepass", "only-for-tests"),
    "rights": lambda client: client.acl_setuser("default", enabled=True, nopass=True, categories=["-@all"]),
}
OURS = ModelRef(server="ollama", model="annotune/main-p1:v0001-ab", version="v0001", num_ctx=2048)
NOT_OURS = ["redis-host", "http://localhost:6379", "redis://localhost:port/0", "redis://:sk-made-up@h:port/0"]
# Each of these waits out its time, so they are one of each kind: reads, writes, scripts, pipelines.
HANGING = [
    *("projects.all", "changes.note", "changes.take_queued", "live.get", "live.swap", "prompts.used", "answers.add"),
    *("answers.known", "versions.next_number", "versions.raise_number", "versions.all", "training.request"),
    *("trained.set_tried", "trained.add_learnt", "prompts.add_seen", "leases.take", "leases.release", "workers.alive"),
]
TOLD = {"full": "maxmemory", "replica": "replica", "password": "password", "rights": "rights"}


@contextmanager
def answering(line: bytes) -> Iterator[str]:
    """The URL of a server that gives this one answer to whatever it is sent."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65536):
                self.request.sendall(line)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("cause", REFUSED)
def test_each_cause_has_its_own_sentence(tmp_path: Path, cause: str, write: str) -> None:
    with RedisServer(tmp_path / "redis") as server:
        with redis.Redis.from_url(server.url) as client:
            REFUSED[cause](client)
        store = Store.connect(server.url)

        with pytest.raises(StoreUnavailable, match=TOLD[cause]) as refused:
            WRITES[write](store)

        assert "not reachable" not in str(refused.value)
        store.close()


@contextmanager
def speaking_tls(folder: Path) -> Iterator[str]:
    """The URL of a server that shakes hands by a certificate of its own, and then is silent."""
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                context.wrap_socket(self.request, server_side=True)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()
            thread.join()


def why(url: str) -> str:
    store = Store.connect(url)
    with pytest.raises(StoreUnavailable) as refused:
        store.probe()
    store.close()
    return str(refused.value)


def test_a_wrong_name_or_password_is_told_and_not_shown(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", "only-for-tests")
        place = server.url.removeprefix("redis://")

        told = {why(url) for url in (server.url, f"redis://:not-it@{place}", f"redis://somebody:not-it@{place}")}

        assert len(told) == 1
        assert "password: they are wrong, or missing" in told.pop()
        assert "not-it" not in str(told)
        Store.connect(f"redis://:only-for-tests@{place}").probe()


def test_a_server_that_speaks_another_protocol_is_told(redis_url: str, tmp_path: Path) -> None:
    assert "speaks no TLS: write redis://" in why(redis_url.replace("redis://", "rediss://"))
    assert "no database" in why(redis_url.replace("/0", "/99"))
    assert "host in REDIS_URL is not known" in why("redis://nowhere.invalid:6379/0")
    with speaking_tls(tmp_path) as url:
        assert "speaks TLS (then write rediss://)" in why(url)
        assert "certificate" in why(url.replace("redis://", "rediss://"))
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        assert "no Redis" in why(url)


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path, eventually: Eventually) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with RedisServer(tmp_path / "redis") as server, redis.Redis.from_url(server.url) as client:
        client.config_set("save", "3600 1")
        client.config_set("dir", str(gone))
        shutil.rmtree(gone)
        client.bgsave()
        eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] != "ok")
        store = Store.connect(server.url)

        with pytest.raises(StoreUnavailable, match="disk"):
            store.projects.remember(1)

        client.config_set("save", "")  # else it saves, in vain, before it stops
        store.close()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-ERR max number of clients reached\r\n", "maxclients"),
        (b"-ERR something else\r\n", "REDIS_URL"),
    ],
)
def test_an_answer_that_says_no_is_told_as_such(line: bytes, told: str) -> None:
    with answering(line) as url:
        store = Store.connect(url)

        with pytest.raises(StoreUnavailable, match=told) as refused:
            store.projects.all()

        assert "not reachable" not in str(refused.value)
        store.close()


def test_no_sentence_holds_the_password() -> None:
    store = Store.connect("redis://:sk-made-up@127.0.0.1:1/0")

    with pytest.raises(StoreUnavailable) as refused:
        store.projects.all()

    assert "sk-made-up" not in str(refused.value)
    store.close()


@contextmanager
def silent_server(*, accepts: bool) -> Iterator[str]:
    """The URL of a port that refuses connections, or accepts them and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if accepts:
            server.listen()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize(
    ("name", "accepts"),
    [*((name, False) for name in CALLS), *((name, True) for name in HANGING)],
    ids=[*(f"{name}-refuses" for name in CALLS), *(f"{name}-hangs" for name in HANGING)],
)
def test_without_redis_every_call_says_so_and_names_the_setting(name: str, accepts: bool) -> None:
    with silent_server(accepts=accepts) as url:
        store = Store.connect(url)
        with pytest.raises(StoreUnavailable, match="REDIS_URL"):
            CALLS[name](store)
        store.close()


def test_the_waits_of_the_web_end_within_half_a_second() -> None:
    with connect_redis("redis://127.0.0.1:1/0", patience="web", decode=True) as client:
        waits = client.connection_pool.connection_kwargs
        tries = 1 + waits["retry"].get_retries()

    assert tries * max(waits["socket_timeout"], waits["socket_connect_timeout"]) < 0.5


@pytest.mark.parametrize("url", NOT_OURS)
def test_a_wrong_url_is_one_sentence_that_names_the_setting_and_not_the_value(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as refused:
        Store.connect(url)
    assert "sk-made-up" not in str(refused.value)


def test_a_job_waits_out_a_restart_of_redis_and_nothing_is_lost(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        store = Store.connect(server.url, patience="job")
        store.live.swap(1, None, OURS)
        server.stop()
        asking = threading.Event()

        def end_run() -> bool:
            asking.set()
            return store.live.swap(1, OURS, LLAMA)

        with ThreadPoolExecutor(1) as thread:
            moved = thread.submit(end_run)
            asking.wait()
            server.start()

            assert moved.result()
        assert store.live.get(1) == LLAMA
        assert store.live.past(1) == [OURS]
        store.close()
