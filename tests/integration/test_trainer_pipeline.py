"""A training with an engine that learns nothing: what it refuses, what it promotes, what is left behind."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from contract.servers.vendor import Vendor, json_reply
from doubles import FakeEngine, FakeOllama, render
from pydantic import SecretStr
from trainer_doubles import BASE, REQUEST, context_without_label_studio, example_set, settings_of

from annotune.errors import ConfigurationError, NotFound, TrainingCancelled, TrainingFailed, TrainingRefused
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef
from annotune.promotion import promote, roll_back
from annotune.prompt import ProjectPrompt, PromptVersion
from annotune.runs import TrainingRun
from annotune.servers.ollama import OllamaClient
from annotune.store.store import Store
from trainer.context import TrainerContext
from trainer.mark import back_up_project
from trainer.pipeline import run_training
from trainer.rebuild import rebuild
from trainer.run_folder import check_disk, read_runs, run_folder
from trainer.stages.register import model_name

PROJECT, OTHER = 3, 4
GPT = ModelRef(server="openai", model="gpt-3.5-turbo")
Train = Callable[..., TrainingRun]


@pytest.fixture
def context(redis_url: str, ollama: FakeOllama, store: Store, tmp_path: Path) -> TrainerContext:
    return context_without_label_studio(settings_of(redis_url, ollama.url, tmp_path / "runs"), store)


@pytest.fixture
def train(context: TrainerContext) -> Train:
    def run(engine: FakeEngine | None = None, project: int = PROJECT, **changed: Any) -> TrainingRun:
        given = example_set(project, **{name: changed.pop(name) for name in ("trained", "held_out") if name in changed})
        settings = context.settings.model_copy(update=changed)
        there = replace(context, settings=settings)
        return run_training(there, project, REQUEST, engine=engine or FakeEngine(), read_examples=lambda *_: given)

    return run


def manifest_is(context: TrainerContext, run: TrainingRun) -> bool:
    return read_runs(context.settings.runs_dir, run.project)[-1] == run


def weights_left(context: TrainerContext, run: TrainingRun) -> set[str]:
    folder = run_folder(context.settings.runs_dir, run.project, run.id)
    return {path.name for path in folder.iterdir()} & {"adapter", "merged", "model.gguf"}


def test_a_version_that_passes_goes_live_over_the_recipes_base(
    train: Train, context: TrainerContext, ollama: FakeOllama
) -> None:
    run = train()

    assert run.state == "promoted", run.reason
    assert run.version
    digest = hashlib.sha256(b"GGUF tiny").hexdigest()
    assert run.version.model == f"annotune/test-p3:v0001-{digest[:8]}"
    assert ollama.models == {run.version.model: digest}
    assert context.store.live.get(PROJECT) == run.version.ref
    assert context.store.versions.all(PROJECT) == [run.version]
    assert context.store.trained.tried(PROJECT) == context.store.trained.learnt(PROJECT) == run.contents_by_annotation
    assert len(run.contents_by_annotation) == 17
    assert manifest_is(context, run)
    assert weights_left(context, run) == {"adapter", "model.gguf"}


def test_a_version_goes_live_over_one_of_ours(train: Train, context: TrainerContext) -> None:
    first, second = train(), train(FakeEngine(weights=b"GGUF second"))

    assert (first.state, second.state) == ("promoted", "promoted")
    assert second.version
    assert second.version.name == "v0002"
    assert context.store.live.get(PROJECT) == second.version.ref
    assert context.store.live.past(PROJECT) == [first.version.ref if first.version else None]


@pytest.mark.parametrize(
    ("trained", "held_out", "told"),
    [(9, 5, "there are 14: submit 1 more"), (12, 4, "5 that are held out, and there are 12 and 4: submit 1 more")],
)
def test_too_few_examples_are_refused_before_anything_is_trained(
    train: Train, context: TrainerContext, trained: int, held_out: int, told: str
) -> None:
    engine = FakeEngine()

    run = train(engine, trained=trained, held_out=held_out)

    assert run.state == "refused"
    assert told in run.reason
    assert "MIN_EXAMPLES" in run.reason
    assert "2 skipped" in run.reason
    assert engine.scripts == []
    assert context.store.live.get(PROJECT) is None
    assert manifest_is(context, run)


def test_examples_that_are_too_long_do_not_count(train: Train, context: TrainerContext) -> None:
    run = train(FakeEngine(fitting=9))

    assert run.state == "refused"
    assert "3 examples are longer than the recipe's max_seq_length, which leaves 9" in run.reason
    assert "submit 1 more that are shorter" in run.reason
    assert weights_left(context, run) == set()


def test_a_training_that_the_disk_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingRefused, match="GiB free and the training takes about 1048576"):
        check_disk(tmp_path, 1 << 50)


def test_a_held_out_loss_that_did_not_fall_is_refused_and_kept_with_its_reason(
    train: Train, context: TrainerContext, ollama: FakeOllama
) -> None:
    run = train(FakeEngine(losses=(1.0, 1.5)))

    assert run.state == "refused"
    assert "the held-out loss is 1.5000, not below the base's 1.0000" in run.reason
    assert run.version
    assert run.version.model in ollama.models
    assert context.store.live.get(PROJECT) is None
    assert [version.state for version in context.store.versions.all(PROJECT)] == ["refused"]
    assert manifest_is(context, run)


def test_a_model_that_is_served_otherwise_than_trained_does_not_go_live(
    train: Train, context: TrainerContext, ollama: FakeOllama
) -> None:
    ollama.extra_tokens = 1

    run = train()

    assert run.state == "refused"
    assert "tokens where training counted" in run.reason
    assert context.store.live.get(PROJECT) is None


def test_over_a_teacher_a_version_waits_for_a_person(train: Train, context: TrainerContext) -> None:
    context.store.live.swap(PROJECT, None, GPT)

    run = train()

    assert run.state == "waiting"
    assert "openai:gpt-3.5-turbo answers now" in run.reason
    assert f"annotune models promote {PROJECT}" in run.reason
    assert context.store.live.get(PROJECT) == GPT
    assert manifest_is(context, run)

    ref = promote(context.settings, context.store, PROJECT)

    assert run.version
    assert context.store.live.get(PROJECT) == ref == run.version.ref
    assert [version.state for version in context.store.versions.all(PROJECT)] == ["promoted"]
    with Vendor([json_reply({"object": "list", "data": []})]) as api:
        keys = {"openai_base_url": f"{api.url}/v1", "openai_api_key": SecretStr("key")}
        assert roll_back(context.settings.model_copy(update=keys), context.store, PROJECT) == GPT


TEACHER = ExtraParams(provider="openai", model="gpt-3.5-turbo")


@pytest.mark.parametrize("chosen", ["before", "meanwhile"])
def test_over_a_teacher_that_a_connection_chose_a_version_waits_for_a_person(
    train: Train, context: TrainerContext, chosen: str
) -> None:
    if chosen == "before":
        context.store.extra_params.set(PROJECT, TEACHER)
    engine = FakeEngine(meanwhile=lambda: context.store.extra_params.set(PROJECT, TEACHER))

    run = train(engine, allowed_models="openai:gpt-3.5-turbo")

    assert run.state == "waiting"
    assert "openai:gpt-3.5-turbo answers now" in run.reason
    assert context.store.live.get(PROJECT) is None


def test_a_teacher_that_is_not_allowed_any_more_holds_nothing_back(train: Train, context: TrainerContext) -> None:
    context.store.extra_params.set(PROJECT, TEACHER)

    assert train().state == "promoted"


@pytest.mark.parametrize("changed", [{"promote": "manual"}, {"openai_provider": "openai", "openai_model": "gpt-4"}])
def test_a_version_waits_where_the_settings_say_so(
    train: Train, context: TrainerContext, changed: dict[str, str]
) -> None:
    run = train(**changed)

    assert run.state == "waiting"
    assert context.store.live.get(PROJECT) is None


def test_a_pointer_that_moved_meanwhile_is_left_alone(train: Train, context: TrainerContext) -> None:
    chosen = ModelRef(server="ollama", model="llama3")
    engine = FakeEngine(meanwhile=lambda: context.store.live.swap(PROJECT, None, chosen))

    run = train(engine)

    assert run.state == "waiting"
    assert "while it trained ollama:llama3 went live" in run.reason
    assert context.store.live.get(PROJECT) == chosen


@pytest.mark.parametrize("script", ["prepare", "train", "merge", "convert"])
def test_a_step_that_fails_leaves_a_manifest_and_no_weights(
    train: Train, context: TrainerContext, ollama: FakeOllama, script: str
) -> None:
    run = train(FakeEngine(fails_at=script))

    assert run.state == "failed"
    assert run.reason == f"{script}: no memory was left"
    assert manifest_is(context, run)
    assert weights_left(context, run) == set()
    assert ollama.models == {}
    assert context.store.trained.tried(PROJECT) == ({} if script == "prepare" else run.contents_by_annotation)
    assert context.store.trained.learnt(PROJECT) == {}


@pytest.mark.parametrize(
    ("changed", "told"), [({"recipe": None}, "set RECIPE"), ({"recipe": "no-such"}, "RECIPE='no-such'")]
)
def test_a_missing_recipe_is_named(train: Train, context: TrainerContext, changed: dict[str, Any], told: str) -> None:
    run = train(**changed)

    assert run.state == "failed"
    assert told in run.reason
    assert manifest_is(context, run)


def test_a_training_that_is_stopped_leaves_nothing_and_did_not_end(context: TrainerContext, ollama: FakeOllama) -> None:
    engine = FakeEngine()
    stopped = replace(context, cancelled=lambda: "train" in engine.scripts)
    given = example_set(PROJECT)

    with pytest.raises(TrainingCancelled):
        run_training(stopped, PROJECT, REQUEST, engine=engine, read_examples=lambda *_: given)

    assert engine.scripts == ["prepare", "train"]
    assert list(context.settings.runs_dir.glob("p*/*")) == []
    assert ollama.models == {}


def test_what_a_killed_run_left_is_removed_by_the_next(train: Train, context: TrainerContext) -> None:
    dead = run_folder(context.settings.runs_dir, PROJECT, "dead")
    dead.mkdir(parents=True)
    (dead / "model.gguf").write_bytes(b"half")
    old, new = (context.settings.runs_dir / "bases" / name for name in (".base.17", ".base.18"))
    old.mkdir(parents=True)
    new.mkdir()
    os.utime(old, (0, 0))

    train()

    assert not dead.exists()
    assert not old.exists()
    assert new.exists()


def test_a_second_project_trains_its_own_version_while_the_firsts_stays(train: Train, context: TrainerContext) -> None:
    first = train()
    second = train(FakeEngine(weights=b"GGUF other"), project=OTHER)

    assert first.version
    assert second.version
    assert context.store.live.get(PROJECT) == first.version.ref
    assert context.store.live.get(OTHER) == second.version.ref
    assert second.version.model.startswith("annotune/test-p4:v0001-")


def test_versions_are_numbered_by_successes_and_no_number_is_given_twice(train: Train, context: TrainerContext) -> None:
    for stage in ("prepare", "train", "merge", "convert"):
        assert train(FakeEngine(fails_at=stage)).state == "failed"
    first, refused, third = train(), train(FakeEngine(losses=(1.0, 2.0), weights=b"GGUF two")), train()
    context.store._redis.flushall()
    again = train(FakeEngine(weights=b"GGUF three"))

    assert [run.number for run in (first, refused, third, again)] == [1, 2, 3, 4]
    assert refused.state == "refused"
    assert [run.version and run.version.name for run in (first, again)] == ["v0001", "v0004"]


def test_a_models_name_is_lower_case_and_says_deployment_project_version_and_file() -> None:
    assert model_name("main", 12, 7, "0123abcd" * 8) == "annotune/main-p12:v0007-0123abcd"
    with pytest.raises(TrainingFailed, match="DEPLOYMENT"):
        model_name("Main", 12, 7, "0123abcd" * 8)


def test_a_name_that_the_server_has_already_is_never_overwritten(train: Train, ollama: FakeOllama) -> None:
    sha256 = hashlib.sha256(b"GGUF tiny").hexdigest()
    taken = model_name("test", PROJECT, 1, sha256)
    ollama.models[taken] = "of another origin"

    run = train()

    assert ollama.models[taken] == "of another origin"
    assert run.version
    assert run.version.model == model_name("test", PROJECT, 2, sha256)
    assert run.number == 2


def test_a_runner_of_the_same_file_under_another_name_is_unloaded_before_the_gates(
    train: Train, ollama: FakeOllama
) -> None:
    twin = model_name("elsewhere", 9, 4, hashlib.sha256(b"GGUF tiny").hexdigest())
    ollama.loaded = [twin, "llama3:8b"]
    seen: list[list[str]] = []

    def render_and_record(messages: list[dict[str, str]]) -> str:
        seen.append(list(ollama.loaded))
        return render(messages)

    ollama.render = render_and_record

    assert train().state == "promoted"
    assert seen[0] == ["llama3:8b"]


def test_a_runs_folder_that_cannot_be_made_is_named(train: Train, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigurationError, match="RUNS_DIR"):
        train(runs_dir=tmp_path / "file" / "runs")


def test_roll_back_goes_back_step_by_step_to_the_environments_model(
    train: Train, store: Store, context: TrainerContext, ollama: FakeOllama
) -> None:
    ollama.models[context.settings.openai_model] = ""
    runs = [train(FakeEngine(weights=f"GGUF {number}".encode())) for number in range(3)]
    refs = [run.version.ref for run in runs if run.version]

    assert roll_back(context.settings, store, PROJECT) == refs[1]
    assert roll_back(context.settings, store, PROJECT) == refs[0]
    assert roll_back(context.settings, store, PROJECT) is None
    assert store.live.get(PROJECT) is None
    with pytest.raises(NotFound, match="nothing to roll back"):
        roll_back(context.settings, store, PROJECT)


def test_promote_names_what_it_lacks_and_refuses_what_was_refused(
    train: Train, store: Store, context: TrainerContext
) -> None:
    train()
    train(FakeEngine(losses=(1.0, 1.5), weights=b"GGUF worse"))

    with pytest.raises(NotFound, match="no version of project 3 waits"):
        promote(context.settings, store, PROJECT)
    with pytest.raises(NotFound, match="no version v0009"):
        promote(context.settings, store, PROJECT, 9)
    with pytest.raises(TrainingRefused, match="v0002 of project 3 was refused: the held-out loss"):
        promote(context.settings, store, PROJECT, 2)


def test_rebuild_restores_an_emptied_redis_and_models_that_ollama_lost(
    train: Train, store: Store, context: TrainerContext, ollama: FakeOllama, redis_url: str
) -> None:
    prompt = ProjectPrompt(text="Answer.", source="annotation 7", at=REQUEST.at)
    store.prompts.add(PROJECT, prompt)
    first = train()
    train(FakeEngine(weights=b"GGUF second"))
    second = train(FakeEngine(weights=b"GGUF third"), promote="manual")
    promote(context.settings, store, PROJECT)
    back_up_project(store, context.settings.runs_dir, PROJECT)
    before = (store.live.get(PROJECT), store.live.past(PROJECT), store.versions.all(PROJECT))
    known = (store.trained.tried(PROJECT), store.trained.learnt(PROJECT))
    assert first.version
    assert second.version
    del ollama.models[second.version.model]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()

    server = OllamaClient(ollama.url)
    rebuilt = rebuild(store, context.settings.runs_dir, server)
    again = rebuild(store, context.settings.runs_dir, server)
    server.close()

    assert (store.live.get(PROJECT), store.live.past(PROJECT), store.versions.all(PROJECT)) == before
    assert (
        (store.trained.tried(PROJECT), store.trained.learnt(PROJECT))
        == known
        == (second.contents_by_annotation, second.contents_by_annotation)
    )
    assert store.prompts.used(PROJECT) == PromptVersion(**prompt.model_dump(), number=1)
    assert store.versions.next_number(PROJECT) == 4
    assert (rebuilt.projects, rebuilt.versions, rebuilt.pointers) == ((PROJECT,), 3, 1)
    assert rebuilt.registered == (second.version.model,)
    assert ollama.models[second.version.model] == second.version.digest
    assert (again.versions, again.pointers, again.registered, again.lost) == (0, 0, (), ())


def test_rebuild_goes_by_the_manifests_where_nobody_kept_the_pointers(
    train: Train, store: Store, context: TrainerContext, ollama: FakeOllama, redis_url: str
) -> None:
    runs = [train(FakeEngine(weights=f"GGUF {number}".encode())) for number in range(2)]
    refs = [run.version.ref for run in runs if run.version]
    for path in context.settings.runs_dir.glob("p*/pointers.json"):
        path.unlink()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()

    server = OllamaClient(ollama.url)
    rebuild(store, context.settings.runs_dir, server)
    server.close()

    assert store.live.get(PROJECT) == refs[1]
    assert store.live.past(PROJECT) == [refs[0]]


def test_rebuild_changes_nothing_that_redis_knows(
    train: Train, store: Store, context: TrainerContext, ollama: FakeOllama
) -> None:
    train()
    live = store.live.get(PROJECT)
    chosen = ModelRef(server="ollama", model=BASE)
    store.live.swap(PROJECT, live, chosen)

    server = OllamaClient(ollama.url)
    rebuilt = rebuild(store, context.settings.runs_dir, server)
    server.close()

    assert store.live.get(PROJECT) == chosen
    assert (rebuilt.versions, rebuilt.pointers) == (0, 0)


def test_a_lost_model_whose_file_is_gone_or_damaged_is_named(
    train: Train, store: Store, context: TrainerContext, ollama: FakeOllama
) -> None:
    run = train()
    ollama.models.clear()
    (run_folder(context.settings.runs_dir, PROJECT, run.id) / "model.gguf").write_bytes(b"damaged")

    server = OllamaClient(ollama.url)
    rebuilt = rebuild(store, context.settings.runs_dir, server)
    server.close()

    assert run.version
    assert rebuilt.lost == (run.version.model,)
    assert ollama.models == {}
