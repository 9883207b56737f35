"""An error is one sentence, in the JSON and as the reason phrase; Label Studio shows only the latter."""

import pytest
from fake_model import SIMPLE, Backend, MakeBackend, region, task
from services import Eventually

from annotune.errors import (
    AnswerRefused,
    ConfigurationError,
    DeadlineExceeded,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    PromptTooLong,
)
from annotune.servers.pool import Servers
from annotune.settings import Settings
from backend.app import create_app

SCREENS = {"batch": "batch", "interactive": [region("prompt", "Explain")]}
BROKEN = [
    (ModelServerUnreachable("Ollama at http://fake is not reachable: start it, or fix OLLAMA_ENDPOINT"), 503),
    (ModelServerBusy("Ollama at http://fake is busy; try again in a minute"), 503),
    (DeadlineExceeded("Ollama at http://fake did not answer within 90 s; try again"), 503),
    (AnswerRefused("Ollama at http://fake broke off its answer; try again"), 503),
    (ModelServerError("openai at http://fake refused the key: fix OPENAI_API_KEY"), 503),
    (ConfigurationError("OpenAI needs a key: set OPENAI_API_KEY"), 503),
    (PromptTooLong("the prompt has 9 tokens and base takes 8: shorten it, or raise NUM_CTX"), 400),
]


@pytest.mark.parametrize("editor", SCREENS.values(), ids=SCREENS)
@pytest.mark.parametrize(("error", "status"), BROKEN, ids=[type(error).__name__ for error, _ in BROKEN])
def test_the_sentence_is_the_body_and_the_reason_phrase(
    backend: Backend, error: Exception, status: int, editor: object
) -> None:
    backend.model.broken = error
    reply = backend.predict(task(), editor=editor)

    assert reply.status == f"{status} {error}"
    assert reply.json == {"error": str(error), "status": status}


def test_an_unexpected_error_tells_a_number_and_no_more(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.model.broken = RuntimeError("canary: a detail from inside")
    reply = backend.predict(task())
    number = reply.json["error"].rpartition(" ")[2]

    assert reply.status_code == 500
    assert "canary" not in reply.text + reply.status
    assert number in caplog.text


def test_a_server_without_its_key_says_which_setting(make_backend: MakeBackend, redis_url: str) -> None:
    settings = Settings(openai_provider="openai", default_prompt="Go")
    parts = make_backend()
    app = create_app(settings, store=parts.store, servers=Servers(settings), jobs=parts.jobs)
    reply = Backend(app, parts.model, parts.store, parts.jobs).predict(task())

    assert reply.status_code == 503
    assert "OPENAI_API_KEY" in reply.status


def test_health_tells_each_part(backend: Backend) -> None:
    before = backend.get("/health").json
    backend.app.extensions["health"].check()
    after = backend.get("/health").json

    assert before["redis"]["ok"] is None
    assert after["redis"]["ok"] is True
    assert after["model_servers"]["ollama"]["ok"] is True
    assert after["worker"]["ok"] is False
    assert "LABEL_STUDIO_API_KEY" in after["label_studio"]["detail"]
    assert after["checked_at"]


def test_health_tells_when_a_model_server_is_away_and_when_a_worker_is_there(backend: Backend) -> None:
    backend.model.broken = ModelServerUnreachable("Ollama at http://fake is not reachable")
    backend.store.workers.heartbeat(60)
    backend.app.extensions["health"].check()
    report = backend.get("/health").json

    assert report["model_servers"]["ollama"] == {"ok": False, "detail": "Ollama at http://fake is not reachable"}
    assert report["worker"]["ok"] is True


def test_health_soon_sees_what_is_started_together_with_the_backend(backend: Backend, eventually: Eventually) -> None:
    health = backend.app.extensions["health"]
    health.start()
    try:
        eventually(lambda: health.report["checked_at"])
        backend.store.workers.heartbeat(60)

        assert eventually(lambda: health.report["worker"]["ok"], deadline_s=5)
    finally:
        health.stop()


def test_a_half_set_basic_auth_is_refused_at_the_start(make_backend: MakeBackend) -> None:
    with pytest.raises(ConfigurationError, match="BASIC_AUTH_PASS is not set"):
        make_backend(basic_auth_user="ls")


def test_a_broken_config_is_told_by_setup(backend: Backend) -> None:
    reply = backend.send("/setup", {"project": 4, "schema": SIMPLE.replace("TextArea", "TextAria")})

    assert reply.status_code == 400
    assert "TextArea" in reply.status
