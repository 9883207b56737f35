"""The real web server, in a process of its own."""

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_model import SIMPLE, recorded, region, task

from annotune.errors import ConfigurationError
from annotune.settings import Settings
from backend.server import announce
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
    env = {
        "REDIS_URL": redis_server.url,
        "OPENAI_PROVIDER": "ollama",
        "OLLAMA_ENDPOINT": nobody,
        "WORKERS": "2",
        "THREADS": "8",
    }
    command = [sys.executable, "-c", SERVE.format(port)]
    with Service("backend", command, env=env, log=tmp_path_factory.mktemp("web") / "log", cwd=ROOT) as service:
        service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)
        yield service, port


@pytest.fixture
def ask(web_server: tuple[Service, int]) -> Ask:
    def call(method: str, path: str, body: object = None) -> tuple[http.client.HTTPResponse, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", web_server[1], timeout=30)
        connection.request(method, path, body=None if body is None else json.dumps(body))
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


def test_an_open_webhook_is_told_once_at_the_start(web_server: tuple[Service, int]) -> None:
    service, port = web_server
    written = service.log.read_text()

    assert written.count("/webhook is open to anyone") == 1
    assert f"listening at http://127.0.0.1:{port}" in written


def test_a_wrong_setting_is_told_before_anything_listens() -> None:
    with pytest.raises(ConfigurationError, match="set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither"):
        announce(Settings(basic_auth_user="ls"), "127.0.0.1", free_port())
