"""`annotune connect` and `disconnect` against the real Label Studio, with a recording backend."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx
import pytest
from click.testing import CliRunner, Result
from doubles import FakeOllama, serving
from label_studio_sdk import LabelStudio as Client

from annotune.answer import Answer
from annotune.label_studio.client import LabelStudioClient
from annotune.store.store import Store
from annotune.store.workers import Check, WorkerReport
from commands.main import annotune
from curation import checkup
from curation.connection import ACTIONS
from embedded.label_studio import LabelStudio

CONFIG = (
    '<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>'
    '<TextArea name="response" toName="chat" smart="false"/></View>'
)
Annotune = Callable[..., Result]
WELL = Check(ok=True, detail="well")


class Backend:
    """Answers as a backend does, and remembers each request's path and headers.

    `secret` is what its webhook asks for, `store` where it counts changes. It gives the `reports` of its health one after
    the other, then the last one each time.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.seen: list[tuple[str, dict[str, str], str]] = []
        self.password: str | None = None
        self.healthy = True
        self.refusal = ""
        self.secret = ""
        self.store = store
        self.takes_label_studio = True
        self.reports = [report("1")]
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ours = self.headers.get("User-Agent", "").startswith(
                    "python-httpx"
                )  # Label Studio's client is requests
                told = backend.reports.pop(0) if ours and len(backend.reports) > 1 else backend.reports[0]
                self._answer(503 if not backend.healthy else 200, told)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                backend.seen.append((self.path, dict(self.headers), body))
                refused = backend.password and self.path == "/setup" and "Authorization" not in self.headers
                status = 401 if refused else 400 if backend.refusal else 200
                if self.path == "/webhook":
                    status = backend.take_event(self.headers, json.loads(body))
                self._answer(status, {"model_version": "small@0a1b2c3d"})

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                self.send_response(status, backend.refusal or None)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take_event(self, headers: Mapping[str, str], event: dict[str, Any]) -> int:
        if self.secret and headers.get("X-Annotune-Secret") != self.secret:
            return 401
        if self.store and (self.takes_label_studio or headers["User-Agent"].startswith("python-httpx")):
            self.store.changes.note(event["project"]["id"])
        return 200

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def report(at: str, *, label_studio: bool = True, ollama: bool = True) -> dict[str, Any]:
    """A backend's health, as it was `at` a time."""
    parts = {"label_studio": label_studio, "ollama": ollama}
    told = {name: {"ok": ok, "detail": "answers" if ok else f"{name} is not reachable"} for name, ok in parts.items()}
    return {
        "status": "UP",
        "checked_at": at,
        "label_studio": told["label_studio"],
        "model_servers": {"ollama": told["ollama"]},
    }


class Ollama(FakeOllama):
    """Lacks the model `nope`."""

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["model"] == "nope":
            return 404, {"error": "model 'nope' not found"}
        return super()._chat(body)


@pytest.fixture
def store(store: Store) -> Store:
    """With a worker that can learn and train."""
    store.workers.heartbeat(600)
    store.workers.report(WorkerReport(label_studio=WELL, recipe=WELL, trainer=WELL), 600)
    return store


@pytest.fixture
def backend(store: Store) -> Iterator[Backend]:
    with Backend(store) as running:
        yield running


@pytest.fixture
def ollama() -> Iterator[str]:
    with serving(Ollama()) as url:
        yield url


@pytest.fixture
def studio(label_studio: LabelStudio) -> Iterator[Client]:
    with httpx.Client(timeout=30) as http:
        yield Client(base_url=label_studio.url, api_key=label_studio.api_key, httpx_client=http)


@pytest.fixture
def project(studio: Client) -> int:
    made = studio.projects.create(title="Formulary", label_config=CONFIG)
    return int(made.id)


@pytest.fixture
def run(label_studio: LabelStudio, redis_url: str, backend: Backend, ollama: str) -> Annotune:
    """Runs a command in the environment of a deployment; keywords change that environment."""
    deployment = {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "REDIS_URL": redis_url,
        "BACKEND_URL": backend.url,
        "WEBHOOK_SECRET": "first secret",
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "small",
        "OLLAMA_ENDPOINT": ollama,
    }

    def invoke(*arguments: object, **changed: str) -> Result:
        return CliRunner().invoke(annotune, [str(each) for each in arguments], env=deployment | changed)

    return invoke


def rows(studio: Client, project: int) -> tuple[list[dict], list[dict]]:
    """Backends and webhooks of a project, without the fields that each request changes."""
    moving = {"updated_at", "created_at"}
    backends = [each.dict() for each in studio.ml.list(project=project)]
    hooks = [each.dict() for each in studio.webhooks.list(project=str(project))]
    return tuple([{k: v for k, v in row.items() if k not in moving} for row in found] for found in (backends, hooks))


def test_connect_makes_an_interactive_backend_and_its_webhook(run, studio, project, backend) -> None:
    result = run("connect", project)

    assert result.exit_code == 0, result.output
    [[made], [hook]] = rows(studio, project)
    assert (made["url"], made["title"], made["is_interactive"], made["state"]) == (backend.url, "annotune", True, "CO")
    assert hook["url"] == f"{backend.url}/webhook"
    assert hook["headers"] == {"X-Annotune-Secret": "first secret"}
    assert set(hook["actions"]) == set(ACTIONS)
    assert (hook["is_active"], hook["send_for_all_actions"], hook["send_payload"]) == (True, False, True)
    assert "small@0a1b2c3d" in result.stdout
    assert "legacy token" in result.stdout


def test_all_that_works_is_told(run, project) -> None:
    result = run("connect", project)

    assert (result.exit_code, result.stderr) == (0, "")
    for part in (
        "model: ollama:small answers",
        "worker: alive, and it can learn",
        "training: well",
        "events: Label Studio's events reach the backend and this Redis",
    ):
        assert part in result.stdout


def _wrong_secret(backend: Backend, store: Store) -> None:
    backend.secret = "another"


def _elsewhere(backend: Backend, store: Store) -> None:
    backend.store = Store(store._redis, deployment="other")


def _without_label_studio(backend: Backend, store: Store) -> None:
    backend.takes_label_studio = False


def _no_worker(backend: Backend, store: Store) -> None:
    store.workers.leave()


def _no_key(backend: Backend, store: Store) -> None:
    store.workers.report(WorkerReport(label_studio=Check(ok=False, detail="LABEL_STUDIO_API_KEY is not set")), 600)


def _no_trainer(backend: Backend, store: Store) -> None:
    store.workers.report(WorkerReport(label_studio=WELL, recipe=WELL, trainer=Check(ok=False, detail="no python")), 600)


def _looking(backend: Backend, store: Store) -> None:
    store.workers.report(WorkerReport(label_studio=WELL, recipe=WELL), 600)


def _without_ollama(backend: Backend, store: Store) -> None:
    backend.reports = [report("1", label_studio=False), report("1", label_studio=False), report("2", ollama=False)]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            _wrong_secret,
            "events: Label Studio's events do not reach this Redis: the backend refuses the webhook's secret",
        ),
        (_elsewhere, "stores them elsewhere: REDIS_URL and DEPLOYMENT must be the same"),
        (_without_label_studio, "takes an event from here, but Label Studio sends none"),
        (_no_worker, "worker: none is alive, so nothing is learnt: run 'annotune worker'"),
        (_no_key, "worker: alive, but it cannot learn: LABEL_STUDIO_API_KEY is not set"),
        (_no_trainer, "training: no python"),
        (_looking, "training: the trainer is still being checked: connect again"),
        (_without_ollama, "ollama: the backend does not reach it from where it runs: ollama is not reachable"),
    ],
)
def test_what_will_not_work_is_told_alone_and_by_the_exit_code(
    spoil, told, run, studio, project, backend, store, monkeypatch
) -> None:
    monkeypatch.setattr(checkup, "EVENT_S", 2.0)
    monkeypatch.setattr(checkup, "FIRST_REPORT_S", 1.0)
    monkeypatch.setattr(checkup, "FULL_REPORT_S", 1.0)
    spoil(backend, store)

    result = run("connect", project)

    assert result.exit_code == 3, result.output
    [line, last] = result.stderr.splitlines()
    assert told in line
    assert last.startswith("connected, but something will not work")
    assert [len(found) for found in rows(studio, project)] == [1, 1]


def test_a_model_that_is_not_pulled_is_told(run, project) -> None:
    result = run("connect", project, OPENAI_MODEL="nope")

    assert result.exit_code == 3
    assert "has no model 'nope': run 'ollama pull nope'" in result.stderr


def test_a_redis_that_is_away_is_told(run, project) -> None:
    result = run("connect", project, REDIS_URL="redis://127.0.0.1:1/0")

    assert result.exit_code == 3
    assert "Redis is not reachable: start it" in result.stderr


def test_a_record_that_cannot_be_read_is_told_after_what_was_done(run, project, store) -> None:
    key = store.keys.of(project, "changes")
    store._redis.set(key, "x")

    result = run("connect", project)

    assert result.exit_code == 3
    assert "added the backend" in result.stdout
    assert key in result.stderr


def test_what_a_backend_saw_before_is_not_repeated(run, project, backend) -> None:
    backend.reports = [report("1", label_studio=False), report("1", label_studio=False), report("2")]

    result = run("connect", project)

    assert (result.exit_code, result.stderr) == (0, "")
    assert len(backend.reports) == 1


def test_connecting_again_changes_nothing_and_says_so(run, studio, project) -> None:
    run("connect", project)
    before = rows(studio, project)

    result = run("connect", project)

    assert result.exit_code == 0
    assert "nothing changed" in result.stdout
    assert rows(studio, project) == before


def test_the_webhook_carries_the_secret(run, studio, project, backend, eventually) -> None:
    run("connect", project)
    studio.projects.import_tasks(id=project, request=[{"question": "what?"}])
    [task] = studio.tasks.list(project=project)

    studio.annotations.create(id=task.id, result=[])

    arrived = eventually(lambda: [headers for path, headers, _ in backend.seen if path == "/webhook"], 10)
    assert arrived[0]["X-Annotune-Secret"] == "first secret"


def _without_hook(studio: Client, project: int, backend: Backend) -> None:
    [hook] = studio.webhooks.list(project=str(project))
    studio.webhooks.delete(hook.id)


def _inactive(studio: Client, project: int, backend: Backend) -> None:
    [hook] = studio.webhooks.list(project=str(project))
    studio.webhooks.update(hook.id, url=hook.url, is_active=False, actions=hook.actions)


def _wrong_headers(studio: Client, project: int, backend: Backend) -> None:
    [hook] = studio.webhooks.list(project=str(project))
    studio.webhooks.update(hook.id, url=hook.url, headers={"X-Annotune-Secret": "old"}, actions=hook.actions)


def _without_actions(studio: Client, project: int, backend: Backend) -> None:
    [hook] = studio.webhooks.list(project=str(project))
    studio.webhooks.update(hook.id, url=hook.url, actions=[])


def _second_hook(studio: Client, project: int, backend: Backend) -> None:
    studio.webhooks.create(project=project, url=f"{backend.url}/webhook")


def _without_backend(studio: Client, project: int, backend: Backend) -> None:
    [row] = studio.ml.list(project=project)
    studio.ml.delete(row.id)


def _second_backend(studio: Client, project: int, backend: Backend) -> None:
    studio.ml.create(project=project, url=f"{backend.url}/", title="again")


def _not_interactive(studio: Client, project: int, backend: Backend) -> None:
    [row] = studio.ml.list(project=project)
    studio.ml.update(row.id, project=project, url=row.url, is_interactive=False)


@pytest.mark.parametrize(
    "spoil",
    [
        _without_hook,
        _inactive,
        _wrong_headers,
        _without_actions,
        _second_hook,
        _without_backend,
        _second_backend,
        _not_interactive,
    ],
)
def test_what_is_half_made_is_repaired(spoil, run, studio, project, backend) -> None:
    run("connect", project)
    [[made], [hook]] = rows(studio, project)
    spoil(studio, project, backend)

    result = run("connect", project)

    assert result.exit_code == 0, result.output
    assert "nothing changed" not in result.stdout
    [[repaired], [repaired_hook]] = rows(studio, project)
    assert {**repaired, "id": 0} == {**made, "id": 0}
    assert {**repaired_hook, "id": 0} == {**hook, "id": 0}


def test_a_backend_that_moved_takes_its_row_and_webhook_along(run, studio, project, store) -> None:
    run("connect", project)

    with Backend(store) as moved:
        result = run("connect", project, "--url", moved.url)
        found = rows(studio, project)

    assert result.exit_code == 0, result.output
    [[row], [hook]] = found
    assert (row["url"], hook["url"]) == (moved.url, f"{moved.url}/webhook")


def called(label_studio: LabelStudio, project: int, version: str) -> str:
    """Give the project's backend a version as its title, as the worker does; what the project shows then."""
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as studio:
        [backend] = studio.backends.of_project(project)
        studio.backends.rename(project, backend, version)
        return studio.projects.get(project).model_version


def test_a_backend_that_bears_its_version_as_its_title_is_ours_still(run, studio, project, store, label_studio) -> None:
    """The project follows the title, and shows nothing of ours once it is disconnected."""
    version = "annotune/main-p4:v0003-1a2b3c4d@9f8e7d6c"
    run("connect", project)
    assert called(label_studio, project, version) == version

    with Backend(store) as moved:
        run("connect", project, "--url", moved.url)
        [[row], _] = rows(studio, project)
        assert (row["url"], row["title"], row["description"]) == (moved.url, version, "annotune")

        result = run("disconnect", project, BACKEND_URL="")

    assert result.exit_code == 0, result.output
    assert rows(studio, project) == ([], [])
    assert studio.projects.get(id=project).model_version == ""


def test_a_backend_that_is_renamed_keeps_its_password(run, studio, project, backend, label_studio) -> None:
    backend.password = "open sesame"
    run("connect", project, BASIC_AUTH_USER="ls", BASIC_AUTH_PASS="open sesame", WEBHOOK_SECRET="")

    assert called(label_studio, project, "small@0a1b2c3d") == "small@0a1b2c3d"

    [[row], _] = rows(studio, project)
    assert (row["title"], row["basic_auth_user"], row["state"]) == ("small@0a1b2c3d", "ls", "CO")


def test_basic_auth_is_given_to_the_backend_and_to_the_webhook(run, studio, project, backend) -> None:
    backend.password = "open sesame"

    result = run("connect", project, BASIC_AUTH_USER="ls", BASIC_AUTH_PASS="open sesame", WEBHOOK_SECRET="")

    assert result.exit_code == 0, result.output
    [[made], [hook]] = rows(studio, project)
    assert (made["auth_method"], made["basic_auth_user"], made["state"]) == ("BASIC_AUTH", "ls", "CO")
    assert hook["headers"]["Authorization"].startswith("Basic ")
    assert "open sesame" not in result.output


def test_a_backend_that_asks_for_auth_which_is_not_set_is_told_and_nothing_is_made(
    run, studio, project, backend
) -> None:
    backend.password = "open sesame"

    result = run("connect", project)

    assert result.exit_code == 1
    assert "BASIC_AUTH_USER" in result.stderr
    assert rows(studio, project) == ([], [])


def test_a_backend_that_is_away_leaves_nothing_half_made(run, studio, project, backend) -> None:
    backend.healthy = False

    result = run("connect", project)

    assert result.exit_code == 1
    assert "does not reach the backend" in result.stderr
    assert rows(studio, project) == ([], [])


def test_a_repair_that_fails_leaves_all_as_it_was(run, studio, project, backend) -> None:
    run("connect", project)
    _wrong_headers(studio, project, backend)
    backend.healthy = False
    before = rows(studio, project)[1]

    result = run("connect", project)

    assert result.exit_code == 1
    assert rows(studio, project)[1] == before


def test_a_name_without_a_dot_is_explained_before_anything_is_made(run, studio, project) -> None:
    result = run("connect", project, "--url", "http://ml_backend:9090")

    assert result.exit_code == 2
    assert "ml-backend.internal" in result.stderr
    assert rows(studio, project) == ([], [])


def test_a_host_that_label_studio_does_not_know_is_explained(run, studio, project) -> None:
    result = run("connect", project, "--url", "http://backend.invalid:9090")

    assert result.exit_code == 1
    assert "backend.invalid" in result.stderr
    assert rows(studio, project) == ([], [])


def test_the_reason_why_a_backend_refuses_a_project_is_told(run, studio, project, backend) -> None:
    backend.refusal = "the labeling config has no <TextArea name='response'>"

    result = run("connect", project)

    assert result.exit_code == 1
    assert backend.refusal in result.stderr
    assert rows(studio, project) == ([], [])


@pytest.mark.parametrize("command", ["connect", "disconnect"])
def test_a_project_that_does_not_exist_is_one_sentence(command, run) -> None:
    result = run(command, 987654)

    assert result.exit_code == 1
    assert "987654" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_a_wrong_key_is_one_sentence_that_does_not_show_it(run, project) -> None:
    result = run("connect", project, LABEL_STUDIO_API_KEY="not-the-key")

    assert result.exit_code == 1
    assert "LABEL_STUDIO_API_KEY" in result.stderr
    assert "not-the-key" not in result.output


def test_disconnect_removes_the_backend_and_the_webhook_that_label_studio_leaves(run, studio, project) -> None:
    run("connect", project)

    result = run("disconnect", project)

    assert result.exit_code == 0, result.output
    assert rows(studio, project) == ([], [])
    assert "nothing changed" in run("disconnect", project).stdout


def test_disconnect_deletes_the_answers_given_and_says_so(run, studio, project, redis_url) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    given = {"prompt": "p", "prompt_sha": "s", "text": "so", "model_version": "m", "at": at}
    with closing(Store.connect(redis_url)) as store:
        for number, task in ((project, 1), (project, 2), (project + 1, 1)):
            store.answers.add([Answer(project=number, task=task, **given)], kept_s=0)

        result = run("disconnect", project)

        assert "deleted the answers given for 2 tasks" in result.stdout
        assert (store.answers.known(project, 1), len(store.answers.known(project + 1, 1))) == ([], 1)


def test_disconnect_says_where_the_answers_stay(run, project) -> None:
    result = run("disconnect", project, REDIS_URL="redis://127.0.0.1:1/0")

    assert result.exit_code == 0
    assert "the answers given stay" in result.stderr


def test_disconnect_leaves_other_backends_and_webhooks_alone(run, studio, project) -> None:
    with Backend() as other:
        studio.ml.create(project=project, url=other.url, title="another")
        before = rows(studio, project)
        run("connect", project)

        run("disconnect", project)

        assert rows(studio, project) == before


def test_disconnect_finds_the_webhook_of_a_backend_that_was_removed_by_hand(run, studio, project, backend) -> None:
    run("connect", project)
    _without_backend(studio, project, backend)

    result = run("disconnect", project, BACKEND_URL="")

    assert result.exit_code == 0, result.output
    assert rows(studio, project) == ([], [])
