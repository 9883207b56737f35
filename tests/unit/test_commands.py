"""The commands that need no Label Studio, on a real Redis."""

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from annotune.errors import AnnotuneError, ConfigurationError, NotFound
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, ModelVersion, Verdict
from annotune.prompt import ProjectPrompt
from annotune.recipe import Recipe
from annotune.runs import Progress, SyncSummary, TrainingRequest, TrainingRun
from annotune.settings import Settings
from annotune.store.connection import open_store
from annotune.store.store import Store
from annotune.store.workers import Check, WorkerReport
from commands.main import Commands, annotune
from commands.train import duration

AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)
WELL, ILL = Check(ok=True, detail="well"), Check(ok=False, detail="ill")
OFF = Check(ok=False, detail="RECIPE is not set")
LLAMA = ModelRef(server="ollama", model="llama3")
Annotune = Callable[..., Result]


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Annotune:
    """Runs a command in the environment of a deployment without Label Studio; keywords change that environment."""
    deployment = {
        "REDIS_URL": redis_url,
        "RUNS_DIR": str(tmp_path / "runs"),
        "OLLAMA_ENDPOINT": "http://127.0.0.1:1",
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "small",
    }

    def invoke(*arguments: object, typed: str | None = None, **changed: str) -> Result:
        environment = deployment | changed
        return CliRunner().invoke(annotune, [str(each) for each in arguments], env=environment, input=typed)

    return invoke


def version(number: int, state: str = "promoted", reason: str = "") -> ModelVersion:
    verdicts = (Verdict(gate="loss", passed=False, reason=reason),) if reason else ()
    return ModelVersion.model_validate(
        {
            "project": 4,
            "number": number,
            "model": f"annotune/main-p4:v{number:04d}-0123abcd",
            "digest": "0123abcd",
            "run": f"r{number}",
            "created_at": AT,
            "num_ctx": 1024,
            "state": state,
            "verdicts": verdicts,
        }
    )


def ended(number: int, state: str, reason: str = "", loss: float | None = None) -> TrainingRun:
    return TrainingRun.model_validate(
        {
            "id": f"r{number}",
            "project": 4,
            "number": number,
            "state": state,
            "reason": reason,
            "started_at": AT,
            "ended_at": AT,
            "examples": 12,
            "metrics": {} if loss is None else {"tuned_loss": loss},
            "version": version(number),
        }
    )


# Errors


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFound("no such project"), 1), (ConfigurationError("set THIS"), 2), (AnnotuneError("odd"), 1)],
)
def test_an_error_is_one_sentence_and_an_exit_code(error: AnnotuneError, code: int) -> None:
    @click.group(cls=Commands)
    def group() -> None:
        pass

    @group.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(group, ["fail"])

    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"Error: {error}\n")


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("models", "list"), ("models", "rollback", 4), ("prompts", "show", 4), ("train", 4, "--no-wait")],
)
def test_without_redis_a_command_says_so_in_a_sentence(run: Annotune, arguments: tuple[object, ...]) -> None:
    studio = {"LABEL_STUDIO_URL": "http://127.0.0.1:1", "LABEL_STUDIO_API_KEY": "k"} if arguments[0] == "train" else {}

    result = run(*arguments, REDIS_URL="redis://127.0.0.1:1/0", RECIPE="small", **studio)

    assert result.exit_code == 1
    assert "is not reachable" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_wrong_setting_is_named_and_its_value_not_shown(run: Annotune) -> None:
    result = run("status", NUM_CTX="a secret")

    assert result.exit_code == 2
    assert "NUM_CTX" in result.stderr
    assert "a secret" not in result.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"LABEL_STUDIO_URL": "label-studio:8080"}, "LABEL_STUDIO_URL is wrong: write an address like 'http"),
        ({"OLLAMA_ENDPOINT": "http://"}, "OLLAMA_ENDPOINT is no address"),
        ({"DEFAULT_PROMPT": "/no/such/prompt.txt"}, "DEFAULT_PROMPT='/no/such/prompt.txt' is no file"),
        ({"REDIS_URL": "http://localhost"}, "REDIS_URL is wrong"),
        ({"WORKERS": "0"}, "WORKERS is wrong"),
    ],
)
@pytest.mark.parametrize("command", [("status",), ("serve",), ("worker",), ("models", "list")])
def test_a_wrong_setting_ends_every_command_with_2(
    run: Annotune, command: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    result = run(*command, **settings)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("models", "use", 4, "llama3"), ("prompts", "show", 4, "newest")])
def test_a_wrong_argument_ends_a_command_with_2(run: Annotune, command: tuple[object, ...]) -> None:
    assert run(*command).exit_code == 2


def test_the_version_is_told(run: Annotune) -> None:
    assert run("--version").stdout == f"annotune {metadata.version('annotune')}\n"


def test_help_needs_no_valid_environment(run: Annotune) -> None:
    assert run("train", "--help", NUM_CTX="nonsense").exit_code == 0


@pytest.mark.parametrize("project", ["0", "-1", "four"])
def test_a_project_is_a_number(run: Annotune, project: str) -> None:
    result = run("models", "rollback", "--", project)

    assert result.exit_code == 2
    assert f"'{project}' is no project: write the number in its address" in result.stderr


@pytest.mark.parametrize("missing", ["LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"])
def test_connect_names_the_setting_that_it_lacks(run: Annotune, missing: str) -> None:
    settings = {
        "LABEL_STUDIO_URL": "http://127.0.0.1:1",
        "LABEL_STUDIO_API_KEY": "k",
        "BACKEND_URL": "http://localhost:9",
    }

    result = run("connect", 4, **(settings | {missing: ""}))

    assert result.exit_code == 2
    assert missing in result.stderr


def test_connect_asks_for_the_address_of_the_backend(run: Annotune) -> None:
    assert "BACKEND_URL" in run("connect", 4).stderr


@pytest.mark.parametrize("url", ["http://me:sesame@a.b:9090", "http://sesame@a.b", "http://me:sesame@a.b:port"])
def test_an_address_with_a_password_is_refused_and_not_told(run: Annotune, url: str) -> None:
    result = run("connect", 4, LABEL_STUDIO_URL="http://127.0.0.1:1", LABEL_STUDIO_API_KEY="k", BACKEND_URL=url)

    assert result.exit_code == 2
    assert "BASIC_AUTH_USER and BASIC_AUTH_PASS are for them" in result.stderr
    assert "sesame" not in result.output


# Models


def test_models_list_shows_state_loss_reason_and_marks_the_live_one(run: Annotune, store: Store) -> None:
    store.versions.save(version(1, "refused", "the held-out loss did not fall"))
    store.versions.save(version(2))
    store.runs.save(ended(2, "promoted", loss=1.2041))
    store.live.swap(4, None, version(2).ref)

    lines = run("models", "list", 4).stdout.splitlines()

    assert lines[0] == "project 4: ollama:annotune/main-p4:v0002-0123abcd"
    assert lines[2].split()[:6] == ["*", "v0002", "promoted", "2026-11-22", "10:41", "1.204"]
    assert lines[3].split()[:2] == ["v0001", "refused"]
    assert "the held-out loss did not fall" in lines[3]


def test_models_list_names_the_default_where_a_project_has_no_model(run: Annotune, store: Store) -> None:
    store.projects.remember(4)

    assert "ollama:small (the environment's default)" in run("models", "list").stdout


def test_the_model_that_a_connection_chose_is_named(run: Annotune, store: Store) -> None:
    store.projects.remember(4)
    store.extra_params.set(4, ExtraParams(model="chosen"))

    for command in (("models", "list"), ("status",)):
        assert "ollama:chosen (the connection's own)" in run(*command, ALLOWED_MODELS="ollama:chosen").stdout
        assert "ollama:small (the environment's default)" in run(*command).stdout


def test_models_use_an_unreachable_server_moves_nothing(run: Annotune, store: Store) -> None:
    result = run("models", "use", 4, "ollama:llama3")

    assert result.exit_code == 1
    assert "OLLAMA_ENDPOINT" in result.stderr
    assert store.live.get(4) is None


def test_models_use_an_api_without_a_key_names_the_setting(run: Annotune, store: Store) -> None:
    result = run("models", "use", 4, "openai:gpt-3.5-turbo")

    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.stderr
    assert store.live.get(4) is None


def test_models_use_what_is_no_model_says_how_one_is_written(run: Annotune) -> None:
    assert "ollama:llama3" in run("models", "use", 4, "llama3").stderr


def test_models_promote_a_refused_version_says_why_not(run: Annotune, store: Store) -> None:
    store.versions.save(version(3, "refused", "it never stops"))

    result = run("models", "promote", 4, "v0003")

    assert result.exit_code == 1
    assert "it never stops" in result.stderr
    assert store.live.get(4) is None


@pytest.mark.parametrize("written", ["v0009", "9"])
def test_models_promote_what_is_not_there_is_one_sentence(run: Annotune, written: str) -> None:
    result = run("models", "promote", 4, written)

    assert result.exit_code == 1
    assert "v0009" in result.stderr


def test_what_a_command_moves_is_kept_by_the_worker_alone(run: Annotune, store: Store, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()

    without = run("prompts", "set", 4, "-", typed="Be short: {text}")
    store.workers.heartbeat(60)
    beside = run("prompts", "set", 4, "-", typed="Be shorter: {text}")

    assert list((tmp_path / "runs").iterdir()) == []
    assert store.changes.count(4) == 2
    assert ["no worker is alive" in each.stderr for each in (without, beside)] == [True, False]


def test_a_rebuild_of_a_folder_that_is_not_there_says_so(run: Annotune, store: Store, tmp_path: Path) -> None:
    store.live.swap(4, None, LLAMA)

    result = run("models", "rebuild", RUNS_DIR=str(tmp_path / "mistyped"))

    assert (result.exit_code, result.stdout, list(tmp_path.iterdir())) == (1, "", [])
    assert "mistyped' is no folder here: run this where the worker runs" in result.stderr


def test_a_rebuild_where_no_worker_works_says_where_it_belongs(run: Annotune, tmp_path: Path) -> None:
    result = run("models", "rebuild")

    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "docker compose exec worker annotune models rebuild" in result.stderr


# Prompts


def test_a_prompt_is_set_as_written_and_shown(run: Annotune, store: Store) -> None:
    run("prompts", "set", 4, typed="Be short: {text}\n{also}\n")

    assert run("prompts", "show", 4).stdout == "Be short: {text}\n{also}\n"
    prompt = store.prompts.used(4)
    assert prompt is not None
    assert prompt.source == "command"


def test_a_prompt_comes_from_a_file(run: Annotune, tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Kurz, bitte: ä", encoding="utf-8")

    run("prompts", "set", 4, file)

    assert run("prompts", "show", 4).stdout == "Kurz, bitte: ä\n"


def test_an_empty_prompt_changes_nothing(run: Annotune, store: Store) -> None:
    store.prompts.add(4, ProjectPrompt(text="the old", source="command", at=AT))

    assert run("prompts", "set", 4, typed=" \n").exit_code == 1
    prompt = store.prompts.used(4)
    assert prompt is not None
    assert prompt.text == "the old"


def test_a_byte_order_mark_is_no_part_of_a_prompt(run: Annotune, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Kurz, bitte: {text} 🙂\r\n", encoding="utf-8-sig")

    run("prompts", "set", 4, file, "--system", file)

    prompt = store.prompts.used(4)
    assert prompt is not None
    assert (prompt.text, store.prompts.system(4)) == ("Kurz, bitte: {text} 🙂",) * 2


@pytest.mark.parametrize("option", [[], ["--system"]])
def test_a_file_that_is_no_text_is_no_prompt(run: Annotune, store: Store, tmp_path: Path, option: list[str]) -> None:
    files = tmp_path / "picture.png", tmp_path / "prompt.txt"
    files[0].write_bytes(b"\x89PNG\xd0\x00")
    files[1].write_text("Be short.")

    result = run("prompts", "set", 4, files[bool(option)], *option, *([files[0]] if option else []))

    assert result.exit_code == 2, result.exception
    assert f"{files[0]} cannot be read as UTF-8 text" in result.stderr
    assert (store.prompts.used(4), store.prompts.system(4)) == (None, None)


def test_a_project_without_a_prompt_says_how_to_get_one(run: Annotune) -> None:
    result = run("prompts", "show", 4)

    assert result.exit_code == 1
    assert "DEFAULT_PROMPT" in result.stderr


# Status


def test_status_of_nothing_says_what_to_do(run: Annotune) -> None:
    shown = run("status").stdout

    assert "annotune connect" in shown
    assert "annotune worker" in shown


def test_a_training_whose_worker_ended_does_not_look_as_if_it_ran(run: Annotune, store: Store) -> None:
    store.projects.remember(4)
    store.training.request(4, TrainingRequest(requested_by="command", at=AT))
    store.leases.take(4, "training", "r3", 30)
    store.training.set_progress(4, Progress(run="r3", stage="train", step=10, steps=40))

    shown = run("status").stdout

    assert "waits, asked for by command" in shown
    assert "step 10/40" not in shown


@pytest.mark.parametrize(
    ("findings", "learning", "training"),
    [
        (WorkerReport(recipe=OFF, label_studio=WELL), "Label Studio: well", "off: RECIPE is not set"),
        (WorkerReport(recipe=OFF, label_studio=ILL), "the worker cannot: ill", "off: RECIPE is not set"),
        (WorkerReport(recipe=WELL, label_studio=ILL), "the worker cannot: ill", "the worker cannot: ill"),
        (
            WorkerReport(recipe=WELL, label_studio=WELL, trainer=ILL),
            "Label Studio: well",
            "the worker cannot: ill",
        ),
        (WorkerReport(recipe=WELL), "Label Studio: not checked yet", "well; trainer: not checked yet"),
    ],
)
def test_status_tells_what_a_worker_can_do(
    run: Annotune, store: Store, findings: WorkerReport, learning: str, training: str
) -> None:
    store.workers.heartbeat(30)
    store.workers.report(findings, 30)

    shown = run("status").stdout.splitlines()

    assert f"learning: {learning}" in shown
    assert f"training: {training}" in shown


def test_status_shows_all_that_goes_on(run: Annotune, store: Store, redis_url: str) -> None:
    jobs = open_store(Settings(redis_url=redis_url)).jobs
    jobs.changed(4)
    jobs.train(4)
    store.workers.heartbeat(30)
    store.live.swap(4, None, version(2).ref)
    store.prompts.add(4, ProjectPrompt(text="Be short:\n[bold]{text}", source="annotation 12", at=AT))
    kinds, left_out = {"corrected": 3, "typed": 0}, {"no prompt": 2}
    store.changes.set_summary(
        4, SyncSummary(usable=3, new=1, unlearnt=2, left_out=left_out, kinds=kinds, at=AT, lacks="submit 22 more")
    )
    store.training.request(4, TrainingRequest(requested_by="command", at=AT))
    store.leases.take(4, "training", "r3", 30)
    store.training.set_progress(4, Progress(run="r3", stage="train", step=10, steps=40, loss=1.5, left_s=65))
    store.runs.save(ended(2, "refused", "the held-out loss did not fall"))

    shown = run("status", RECIPE="small").stdout

    for part in (
        "worker: alive",
        "1 changes, 1 trainings",
        "ollama:annotune/main-p4:v0002-0123abcd (v0002)",
        "annotune/main-p4:v0002-0123abcd@",
        "Be short: ...",
        "3 usable (3 corrected), 1 new since the last try, 2 never learnt; left out: 2 no prompt",
        "to train     submit 22 more",
        "train step 10/40, loss 1.500, 1:05 left",
        "v0002 refused at 2026-11-22 10:41 UTC: the held-out loss did not fall",
    ):
        assert part in shown


def test_status_as_json_is_a_list_of_the_deployment_and_its_projects(run: Annotune, store: Store) -> None:
    store.live.swap(4, None, LLAMA)
    store.prompts.add(4, ProjectPrompt(text="[/INST]\x1b Be short", source="annotation 12", at=AT))

    deployment, project = json.loads(run("status", "--json").stdout)

    assert deployment["project"] is None
    assert set(deployment) >= {"worker", "queue", "training"}
    assert (project["project"], project["title"], project["model"]) == (4, None, "ollama:llama3")
    assert project["prompt"] == "[/INST]\x1b Be short"


def test_models_list_as_json_has_an_object_for_each_version(run: Annotune, store: Store) -> None:
    store.versions.save(version(1, "refused", "it never stops"))
    store.versions.save(version(2))
    store.runs.save(ended(2, "promoted", loss=1.25))
    store.live.swap(4, None, version(2).ref)

    newest, oldest = json.loads(run("models", "list", "--json").stdout)

    assert newest == {
        "project": 4,
        "live": True,
        "version": "v0002",
        "state": "promoted",
        "made": "2026-11-22T10:41:00+00:00",
        "held_out_loss": 1.25,
        "model": "annotune/main-p4:v0002-0123abcd",
        "reason": "",
    }
    assert (oldest["live"], oldest["held_out_loss"], oldest["reason"]) == (False, None, "it never stops")


@pytest.mark.parametrize("command", [("status",), ("models", "list"), ("prompts", "list", 4)])
def test_json_of_nothing_is_a_list(run: Annotune, command: tuple[object, ...]) -> None:
    assert isinstance(json.loads(run(*command, "--json").stdout), list)


def test_status_shows_a_label_studio_that_is_away_and_the_rest(run: Annotune, store: Store) -> None:
    store.projects.remember(4)

    result = run("status", LABEL_STUDIO_URL="http://127.0.0.1:1", LABEL_STUDIO_API_KEY="k")

    assert result.exit_code == 0
    assert "Label Studio at http://127.0.0.1:1 is not reachable" in result.stdout
    assert "ollama:small" in result.stdout


def test_status_waits_once_for_a_label_studio_that_is_silent(
    run: Annotune, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.context.TITLE_S", 0.2)
    store.projects.remember(4, 5, 6)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        shown = run("status", LABEL_STUDIO_URL=url, LABEL_STUDIO_API_KEY="k").stdout

        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert shown.count(f"(Label Studio at {url} did not answer in time") == 3


# Trainings


def test_training_that_is_off_names_the_setting(run: Annotune) -> None:
    result = run("train", 4)

    assert result.exit_code == 2
    assert "RECIPE" in result.stderr


def test_training_that_is_off_names_recipes_that_there_are(run: Annotune) -> None:
    named = re.findall(r"'([a-z-]+)'", run("train", 4).stderr)

    assert named == ["article", "small"]
    for name in named:
        Recipe.load(name)


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (65.4, "1:05"), (3600, "60:00")])
def test_a_duration_is_minutes_and_seconds(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


# What another version wrote


@pytest.mark.parametrize("name", ["live", "versions", "runs", "tally", "training"])
def test_status_goes_on_with_the_other_projects_and_names_the_key(run: Annotune, store: Store, name: str) -> None:
    store.live.swap(5, None, LLAMA)
    store.projects.remember(4)
    store._redis.set(store.keys.of(4, name), "<?xml?>")

    shown = run("status")

    assert shown.exit_code == 0
    assert "ollama:llama3" in shown.output
    if name != "versions":  # status does not read them
        assert f"annotune:main:4:{name}" in shown.output


@pytest.mark.parametrize("name", ["live", "versions", "runs"])
def test_models_list_goes_on_with_the_other_projects_and_names_the_key(run: Annotune, store: Store, name: str) -> None:
    store.live.swap(5, None, LLAMA)
    store.projects.remember(4)
    store._redis.set(store.keys.of(4, name), "<?xml?>")

    listed, alone = run("models", "list"), run("models", "list", 4)

    assert listed.exit_code == 0
    assert "project 5: ollama:llama3" in listed.output
    assert f"annotune:main:4:{name}" in listed.output
    assert alone.exit_code == 1
    assert f"annotune:main:4:{name}" in alone.output
