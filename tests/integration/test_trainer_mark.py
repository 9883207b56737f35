"""A worker knows an emptied Redis, a new disk and another's Redis apart; neither side's knowledge is lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from doubles import FakeEngine, FakeOllama
from trainer_doubles import REQUEST, context_without_label_studio, example_set, settings_of

from annotune.errors import ConfigurationError, LabelStudioError, NotFound
from annotune.label_studio.client import LabelStudioClient
from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRun
from annotune.servers.ollama import OllamaClient
from annotune.store.store import Store
from trainer.backup import back_up_pointers
from trainer.context import TrainerContext
from trainer.jobs import sync_under_lease, train_under_lease
from trainer.mark import back_up_project, ensure_paired, read_mark
from trainer.pipeline import run_training
from trainer.rebuild import Rebuilt, rebuild
from trainer.state_files import read_pointers

PROJECT = 3
GPT = ModelRef(server="openai", model="gpt-9")
LLAMA = ModelRef(server="ollama", model="llama3")


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url, deployment="test")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def context(redis_url: str, ollama: FakeOllama, store: Store, runs: Path) -> TrainerContext:
    settings = settings_of(redis_url, ollama.url, runs)
    return replace(
        context_without_label_studio(settings, store), studio=lambda: LabelStudioClient.from_settings(settings)
    )  # which names none


@pytest.fixture
def trained(context: TrainerContext) -> Callable[..., TrainingRun]:
    """Trains the project by its job; each time another model comes of it."""

    def run(job_context: TrainerContext, project: int, engine: FakeEngine) -> TrainingRun:
        return run_training(job_context, project, REQUEST, engine=engine, read_examples=lambda *_: example_set(project))

    def work(weights: str, meanwhile: Callable[[], None] = lambda: None) -> TrainingRun:
        engine = FakeEngine(weights=weights.encode(), meanwhile=meanwhile)
        context.store.training.request(PROJECT, REQUEST)
        train_under_lease(context, PROJECT, lambda job_context, project, _: run(job_context, project, engine))
        return context.store.runs.all(PROJECT)[0]

    return work


@pytest.fixture
def rebuilt(ollama: FakeOllama, store: Store, runs: Path) -> Callable[[], Rebuilt]:
    def by_hand() -> Rebuilt:
        server = OllamaClient(ollama.url)
        try:
            return rebuild(store, runs, server)
        finally:
            server.close()

    return by_hand


def prompt(store: Store, project: int, *texts: str) -> None:
    for text in texts:
        store.prompts.add(project, ProjectPrompt(text=text, source="command", at=datetime.now(UTC)))


def empty(store: Store) -> None:
    store._redis.flushall()


def known(store: Store) -> tuple[object, ...]:
    return (
        store.backup.read(PROJECT)[1],
        store.versions.all(PROJECT),
        store.runs.all(PROJECT),
        store.projects.all(),
        store.versions.next_number(PROJECT),
    )


def test_the_first_start_gives_both_one_mark(store: Store, runs: Path) -> None:
    mark = ensure_paired(store, runs)

    assert (read_mark(runs), store.backup.mark(), mark.deployment) == (mark, mark.id, "test")
    assert ensure_paired(store, runs) == mark


def test_a_project_that_never_trained_comes_back(store: Store, runs: Path) -> None:
    prompt(store, 7, "Be short.")
    store.live.swap(7, None, GPT)
    back_up_project(store, runs, 7)
    empty(store)

    ensure_paired(store, runs)

    assert (store.live.get(7), store.prompts.used(7).text, store.projects.all()) == (GPT, "Be short.", [7])


def test_it_comes_back_by_hand_too(store: Store, runs: Path, rebuilt) -> None:
    prompt(store, 7, "Be short.")
    back_up_project(store, runs, 7)
    empty(store)

    assert rebuilt().projects == (7,)
    assert store.prompts.used(7).text == "Be short."


def test_a_training_after_redis_was_emptied_does_not_overwrite_what_is_kept(store, runs, trained) -> None:
    prompt(store, PROJECT, "one", "two")
    first, second = trained("one"), trained("two")
    store.prompts.set_system(PROJECT, "Be kind.")
    back_up_project(store, runs, PROJECT)
    empty(store)

    third = trained("three")

    assert [run.state for run in (first, second, third)] == ["promoted"] * 3
    assert store.live.get(PROJECT) == third.version.ref
    assert store.live.past(PROJECT) == [second.version.ref, first.version.ref]
    assert [version.number for version in store.versions.all(PROJECT)] == [1, 2, 3]
    assert [version.text for version in store.prompts.versions(PROJECT)] == ["one", "two"]
    assert store.prompts.system(PROJECT) == "Be kind."
    assert read_pointers(runs, PROJECT) == store.backup.read(PROJECT)[1]


def test_redis_is_emptied_while_a_training_runs(store, runs, trained) -> None:
    prompt(store, PROJECT, "one", "two")
    first = trained("one")

    second = trained("two", meanwhile=lambda: empty(store))

    assert (second.state, store.live.get(PROJECT)) == ("promoted", second.version.ref)
    assert store.live.past(PROJECT) == [first.version.ref]
    assert [(version.number, version.state) for version in store.versions.all(PROJECT)] == [
        (1, "promoted"),
        (2, "promoted"),
    ]
    assert [run.id for run in store.runs.all(PROJECT)] == [second.id, first.id]
    assert [version.text for version in store.prompts.versions(PROJECT)] == ["one", "two"]
    assert read_pointers(runs, PROJECT).past == (first.version.ref,)


def test_what_was_rolled_back_does_not_come_back(store, context, trained) -> None:
    first, second = trained("one"), trained("two")
    store.live.swap_back(PROJECT, second.version.ref, first.version.ref)
    sync_under_lease(context, PROJECT, sync_project=lambda *_: None)
    empty(store)

    ensure_paired(store, context.settings.runs_dir)

    assert (store.live.get(PROJECT), store.live.past(PROJECT)) == (first.version.ref, [])


def test_a_sync_that_fails_is_kept_all_the_same(store: Store, context: TrainerContext, runs: Path) -> None:
    def away(*_: object) -> None:
        raise LabelStudioError("Label Studio is away")

    prompt(store, PROJECT, "Be short.")

    with pytest.raises(LabelStudioError):
        sync_under_lease(context, PROJECT, sync_project=away)

    assert read_pointers(runs, PROJECT).used.text == "Be short."


def test_a_sync_after_redis_was_emptied_finds_what_was_there(store: Store, context: TrainerContext, runs: Path) -> None:
    prompt(store, PROJECT, "Be short.")
    back_up_project(store, runs, PROJECT)
    empty(store)
    seen: list[str] = []

    sync_under_lease(
        context,
        PROJECT,
        sync_project=lambda job_context, project: seen.append(job_context.store.prompts.used(project).text),
    )

    assert seen == ["Be short."]


def test_what_redis_loses_while_it_is_read_is_not_written_down(store: Store, runs: Path) -> None:
    prompt(store, PROJECT, "Be short.")
    back_up_project(store, runs, PROJECT)
    mark = ensure_paired(store, runs)
    empty(store)

    back_up_pointers(store, runs, PROJECT, mark.id)

    assert read_pointers(runs, PROJECT).used.text == "Be short."


def test_a_new_disk_gets_the_mark_and_all_projects(store: Store, runs: Path, tmp_path: Path) -> None:
    for project, text in ((3, "three"), (4, "four")):
        prompt(store, project, text)
    mark = ensure_paired(store, runs)

    assert ensure_paired(store, tmp_path / "new") == mark
    assert [read_pointers(tmp_path / "new", project).used.text for project in (3, 4)] == ["three", "four"]


def test_a_folder_of_an_older_version_gives_back_what_redis_does_not_know(store: Store, runs: Path) -> None:
    for project in (3, 4):
        prompt(store, project, "kept")
        store.live.swap(project, None, GPT)
        back_up_project(store, runs, project)
    (runs / "mark.json").unlink()
    empty(store)
    store.live.swap(4, None, LLAMA)

    ensure_paired(store, runs)

    assert [store.live.get(project) for project in (3, 4)] == [GPT, LLAMA]
    assert (store.prompts.used(3).text, store.prompts.used(4)) == ("kept", None)


@pytest.fixture
def foreign(store: Store, runs: Path, tmp_path: Path) -> Store:
    """A Redis that was emptied, and another worker with another disk was first to set a mark."""
    prompt(store, PROJECT, "ours")
    store.live.swap(PROJECT, None, GPT)
    back_up_project(store, runs, PROJECT)
    empty(store)
    ensure_paired(store, tmp_path / "another")
    prompt(store, PROJECT, "theirs")
    store.live.swap(PROJECT, None, LLAMA)
    return store


def test_a_folder_of_another_redis_is_neither_written_nor_restored(foreign: Store, runs: Path) -> None:
    with pytest.raises(ConfigurationError, match="annotune models rebuild"):
        ensure_paired(foreign, runs)
    back_up_project(foreign, runs, PROJECT)

    assert (read_pointers(runs, PROJECT).live, foreign.live.get(PROJECT)) == (GPT, LLAMA)
    assert [version.text for version in foreign.prompts.versions(PROJECT)] == ["theirs"]


def test_by_hand_the_two_become_one_and_nothing_of_either_is_lost(foreign: Store, runs: Path, rebuilt) -> None:
    rebuilt()
    rebuilt()

    assert ensure_paired(foreign, runs).id == foreign.backup.mark()
    assert (foreign.live.get(PROJECT), foreign.live.past(PROJECT)) == (LLAMA, [GPT])
    assert [version.text for version in foreign.prompts.versions(PROJECT)] == ["ours", "theirs"]
    assert foreign.prompts.used(PROJECT).text == "theirs"
    assert read_pointers(runs, PROJECT).past == (GPT,)


def test_another_deployment_is_told_apart(store: Store, runs: Path, redis_url: str) -> None:
    ensure_paired(store, runs)

    with pytest.raises(ConfigurationError, match="is of deployment 'test'"):
        ensure_paired(Store.connect(redis_url, deployment="other"), runs)


def test_a_folder_that_cannot_be_used_stops_no_sync(store: Store, context: TrainerContext, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    seen: list[int] = []
    settings = context.settings.model_copy(update={"runs_dir": tmp_path / "file" / "runs"})

    sync_under_lease(replace(context, settings=settings), PROJECT, sync_project=lambda _, project: seen.append(project))

    assert seen == [PROJECT]
    assert store.backup.mark() == ""  # which would promise that something is kept


def test_a_mark_that_cannot_be_read_is_told(store: Store, runs: Path) -> None:
    ensure_paired(store, runs)
    (runs / "mark.json").write_text("{")

    with pytest.raises(ConfigurationError, match=r"mark\.json cannot be read.*delete it"):
        ensure_paired(store, runs)


@pytest.mark.parametrize("before", [LLAMA, None], ids=["a model", "the environment's model"])
def test_a_rollback_that_no_worker_has_written_down_yet_survives_a_rebuild(
    store: Store, runs: Path, rebuilt, before: ModelRef | None
) -> None:
    if before:
        store.live.swap(7, None, before)
    store.live.swap(7, before, GPT)
    back_up_project(store, runs, 7)
    store.live.swap_back(7, GPT, before)

    back = rebuilt()

    assert (store.live.get(7), store.live.past(7), back.pointers) == (before, [], 0)
    assert read_pointers(runs, 7).live == before


def test_a_system_prompt_that_was_taken_away_does_not_come_back_by_a_rebuild(store: Store, runs: Path, rebuilt) -> None:
    store.projects.remember(7)
    store.prompts.set_system(7, "Be kind.")
    back_up_project(store, runs, 7)
    store.prompts.set_system(7, None)

    rebuilt()

    assert store.prompts.system(7) is None


def test_a_rebuild_where_no_worker_has_worked_names_the_place(rebuilt, runs: Path) -> None:
    with pytest.raises(NotFound, match="docker compose exec worker"):
        rebuilt()

    assert not runs.exists()
