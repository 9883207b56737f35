"""`annotune models use`, `promote` and `rollback` against a double of Ollama over HTTP, on a real Redis."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from contract.servers.vendor import Vendor, json_reply
from doubles import FakeOllama

from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, ModelVersion
from annotune.store.store import Store
from commands.main import annotune

LLAMA = ModelRef(server="ollama", model="llama3")
GPT = ModelRef(server="openai", model="gpt-9")
Annotune = Callable[..., Result]


def version(number: int) -> ModelVersion:
    return ModelVersion(
        project=4,
        number=number,
        model=f"annotune/main-p4:v{number:04d}-0123abcd",
        digest="0123abcd",
        run=f"r{number}",
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        num_ctx=1024,
        state="candidate",
    )


FIRST, SECOND = version(1).ref, version(2).ref


@pytest.fixture
def ollama(ollama: FakeOllama) -> FakeOllama:
    ollama.models = {"small": "", "llama3": "", FIRST.model: "", SECOND.model: ""}
    return ollama


@pytest.fixture
def store(store: Store) -> Store:
    """Of a project whose second version is live, over its first and llama3."""
    for number in (1, 2):
        store.versions.save(version(number))
    for before, after in ((None, LLAMA), (LLAMA, FIRST), (FIRST, SECOND)):
        store.live.swap(4, before, after)
    return store


@pytest.fixture
def run(redis_url: str, ollama: FakeOllama, store: Store, tmp_path: Path) -> Annotune:
    """Runs `annotune models ...`, or `annotune status`; keywords change its environment."""
    deployment = {
        "REDIS_URL": redis_url,
        "RUNS_DIR": str(tmp_path / "runs"),
        "OLLAMA_ENDPOINT": ollama.url,
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "small",
    }

    def invoke(*arguments: object, **changed: str) -> Result:
        group = [] if arguments == ("status",) else ["models"]
        return CliRunner().invoke(annotune, [*group, *map(str, arguments)], env=deployment | changed)

    return invoke


def test_a_version_that_is_named_answers(run: Annotune, store: Store) -> None:
    result = run("use", 4, "v0001")

    assert result.exit_code == 0, result.output
    assert store.live.get(4) == FIRST


def test_a_rollback_lets_the_one_before_answer(run: Annotune, store: Store) -> None:
    told = [run("rollback", 4).stdout for _ in range(3)]

    assert [told[0].split()[2], told[1].split()[2]] == [str(FIRST), str(LLAMA)]
    assert "ollama:small (the environment's default) answers again" in told[2]
    assert store.live.get(4) is None


def test_a_rollback_to_the_connections_own_model_says_so(run: Annotune, store: Store, ollama: FakeOllama) -> None:
    store.extra_params.set(4, ExtraParams(model="chosen"))
    ollama.models["chosen"] = ""
    for _ in range(2):
        run("rollback", 4)

    told = run("rollback", 4, ALLOWED_MODELS="ollama:chosen").stdout
    assert "ollama:chosen (the connection's own) answers again" in told


@pytest.mark.parametrize("command", [("use", 4, "v0001"), ("promote", 4, "v0001"), ("rollback", 4)])
def test_the_pointer_does_not_go_to_a_version_that_ollama_lost(
    run: Annotune, store: Store, ollama: FakeOllama, command
) -> None:
    del ollama.models[FIRST.model]

    result = run(*command)

    assert (result.exit_code, store.live.get(4), store.live.past(4)) == (1, SECOND, [FIRST, LLAMA])
    assert f"has no model '{FIRST.model}': run 'annotune models rebuild'" in result.stderr
    assert store.versions.all(4) == [version(1), version(2)]


def test_the_environments_model_is_asked_for_too(run: Annotune, store: Store, ollama: FakeOllama) -> None:
    run("rollback", 4)
    run("rollback", 4)
    del ollama.models["small"]

    result = run("rollback", 4)

    assert (result.exit_code, store.live.get(4)) == (1, LLAMA)
    assert "run 'ollama pull small'" in result.stderr


@pytest.mark.parametrize("command", [("use", 4, "v0001"), ("promote", 4, 1), ("rollback", 4)])
def test_the_pointer_does_not_move_while_the_server_is_away(run: Annotune, store: Store, command) -> None:
    result = run(*command, OLLAMA_ENDPOINT="http://127.0.0.1:1")

    assert (result.exit_code, store.live.get(4)) == (1, SECOND)
    assert "is not reachable" in result.stderr
    assert "keeps its model until ollama answers: try again then, or choose a model of another server" in result.stderr


def test_an_api_need_not_wait_for_ollama(run: Annotune, store: Store) -> None:
    store.live.swap(4, SECOND, GPT)
    store.live.swap(4, GPT, SECOND)

    with Vendor([json_reply({"object": "list", "data": []})]) as api:
        keys = {"OPENAI_BASE_URL": f"{api.url}/v1", "OPENAI_API_KEY": "key"}
        result = run("rollback", 4, OLLAMA_ENDPOINT="http://127.0.0.1:1", **keys)

    assert (result.exit_code, store.live.get(4)) == (0, GPT)


def test_status_tells_that_a_live_model_is_lost(run: Annotune, ollama: FakeOllama) -> None:
    there = run("status").stdout
    del ollama.models[SECOND.model]

    assert "has no model" not in there
    assert f"has no model '{SECOND.model}': run 'annotune models rebuild'" in run("status").stdout
    assert "is not reachable" in run("status", OLLAMA_ENDPOINT="http://127.0.0.1:1").stdout
