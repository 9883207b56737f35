"""The real web server, in its own process."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_model import SIMPLE, recorded, region, task

from annotune.answer import Answer
from annotune.errors import AddressRefused, ConfigurationError
from annotune.settings import Settings
from annotune.store.store import Store
from backend.server import ALL_ADDRESSES, LOOPBACK, announce, check_address, default_host
from backend.spool import Spool
from embedded.processes import Service, answers, free_port
from embedded.redis import RedisServer

SERVE = """
from annotune.settings import load_settings
from backend.server import serve
serve(load_settings(), "127.0.0.1", {})
"""
ROOT = Path(__file__).resolve().parents[3]
Ask = Callable[..., tuple[http.client.HTTPResponse, dict]]


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address where no model server listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def web_server(
    redis_server: RedisServer, nobody: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, int]]:
    port = free_port()
    folder = tmp_path_factory.mktemp("web")
    env = {
        "REDIS_URL": redis_server.url,
        "OPENAI_PROVIDER": "ollama",
        "OLLAMA_ENDPOINT": nobody,
        "WORKERS": "2",
        "THREADS": "8",
        "SPOOL_DIR": str(folder / "spool"),
    }
    command = [sys.executable, "-c", SERVE.format(port)]
    with Service("backend", command, env=env, log=folder / "log", cwd=ROOT) as service:
        service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)
        yield service, port


@pytest.fixture
def ask(web_server: tuple[Service, int]) -> Ask:
    def call(method: str, path: str, body: object = None) -> tuple[http.client.HTTPResponse, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", web_server[1], timeout=30)
        kind = {"Content-Type": "application/json"}
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=kind)
        reply = connection.getresponse()
        parsed = json.loads(reply.read())
        connection.close()
        return reply, parsed

    return call


def test_the_sentence_arrives_as_the_reason_phrase(ask: Ask, nobody: str) -> None:
    body = {"tasks": [task()], "project": 4, "label_config": SIMPLE}
    reply, parsed = ask("POST", "/predict", body | {"params": {"context": {"result": [region("prompt", "Explain")]}}})

    assert reply.status == 503
    assert reply.reason == parsed["error"]
    assert nobody in reply.reason
    assert "OLLAMA_ENDPOINT" in reply.reason


def test_health_is_looked_at_in_the_background(ask: Ask, eventually: Callable[..., object], nobody: str) -> None:
    def looked_at() -> dict | None:
        _, report = ask("GET", "/health")
        return report if report["checked_at"] else None

    report = eventually(looked_at)

    assert report["redis"]["ok"] is True
    assert nobody in report["model_servers"]["ollama"]["detail"]


def test_setup_and_webhook_are_answered(ask: Ask, redis_url: str) -> None:
    assert ask("POST", "/setup", recorded("setup")["body"])[0].status == 200
    assert ask("POST", "/webhook", recorded("webhook-ANNOTATION_CREATED")["body"])[1]["queued"] is True


def test_open_routes_are_told_once_at_the_start(web_server: tuple[Service, int]) -> None:
    service, port = web_server
    written = service.log.read_text()

    assert written.count("all routes are open to anyone") == 1
    assert f"listening at http://127.0.0.1:{port}" in written


def test_what_waits_is_written_down_when_it_stops(
    tmp_path: Path, nobody: str, eventually: Callable[..., object]
) -> None:
    port, spool = free_port(), Spool(tmp_path / "spool")
    with RedisServer(tmp_path / "redis") as server:
        env = {"REDIS_URL": server.url, "OLLAMA_HOST": nobody, "SPOOL_DIR": str(tmp_path / "spool")}
        command = [sys.executable, "-c", SERVE.format(port)]
        with Service("backend", command, env=env, log=tmp_path / "log", cwd=ROOT) as service:
            service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)
            eventually(lambda: _health(port)["checked_at"])
            at = datetime(2026, 1, 1, tzinfo=UTC)
            spool.add([Answer(project=4, task=1, prompt="p", prompt_sha="s", text="so", model_version="m", at=at)])
            spool.close()
            service.stop()

        assert [answer.text for answer in Store.connect(server.url).answers.known(4, 1)] == ["so"]
    assert spool.count() == 0


def _health(port: int) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    report = json.loads(connection.getresponse().read())
    connection.close()
    return report


def test_a_wrong_setting_is_told_before_anything_listens() -> None:
    with pytest.raises(ConfigurationError, match="set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither"):
        announce(Settings(basic_auth_user="ls"), "127.0.0.1", free_port())


def test_a_port_that_is_taken_is_one_line_and_no_listening_is_told(redis_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from commands.main import main; main()", "serve", "--port"]
    environment = {**os.environ, "REDIS_URL": redis_url, "SPOOL_DIR": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [*command, port], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        f"Error: port {port} of 127.0.0.1 is taken: end what listens there, or give another --port"
    ]


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.7", "is no address of this machine"),  # of a network for examples
        ("backend.invalid", "'backend.invalid' is not known"),
    ],
)
def test_an_address_that_is_not_ours_is_refused(host: str, said: str) -> None:
    with pytest.raises(AddressRefused, match=said):
        check_address(host, free_port())


def test_a_port_of_the_administrator_is_refused_to_others() -> None:
    if Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii").strip() == "0":
        pytest.skip("this machine lets anybody listen at any port")
    script = (
        "import os; from backend.server import check_address\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "check_address('127.0.0.1', 1)"
    )

    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "AddressRefused: port 1 is for the administrator: give --port one of 1024 or above" in ended.stderr


def test_an_address_that_was_checked_can_be_listened_at() -> None:
    port = free_port()
    for host in ("127.0.0.1", "", ALL_ADDRESSES):
        check_address(host, port)
    with socket.create_server(("127.0.0.1", port)):
        pass


BOTH = {"basic_auth_user": "ls", "basic_auth_pass": "p4ss"}
OPEN: dict[str, dict[str, object]] = {"nothing": {}, "a secret": {"webhook_secret": "s3cret"}}


@pytest.mark.parametrize("settings", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize("host", [ALL_ADDRESSES, "::", "10.0.0.7", "backend.example.org", ""])
def test_beyond_loopback_an_open_backend_does_not_start(settings: dict, host: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        announce(Settings(**settings), host, 9090)

    assert all(
        word in str(caught.value) for word in ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "ALLOW_ANONYMOUS=1", "secrets")
    )


@pytest.mark.parametrize("settings", [BOTH, {"allow_anonymous": True}])
def test_beyond_loopback_it_starts_where_that_is_meant(settings: dict, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    announce(Settings(**settings), ALL_ADDRESSES, 9090)

    assert "listening at http://0.0.0.0:9090" in caplog.text
    assert ("open to anyone" in caplog.text) == ("allow_anonymous" in settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_the_log_says_what_a_secret_alone_leaves_open(host: str, caplog: pytest.LogCaptureFixture) -> None:
    announce(Settings(webhook_secret="s3cret"), host, 9090)

    assert "/setup, /predict and /versions are open to anyone" in caplog.text
    assert "START_TRAINING will be refused" in caplog.text


@pytest.mark.parametrize(
    ("settings", "address"),
    [({}, LOOPBACK), (OPEN["a secret"], LOOPBACK), (BOTH, ALL_ADDRESSES), ({"allow_anonymous": True}, ALL_ADDRESSES)],
)
def test_without_a_host_it_listens_on_all_addresses_only_where_it_may(settings: dict, address: str) -> None:
    assert default_host(Settings(**settings)) == address
