"""Label Studio shows the scores of the version that answers: the backend's title and the project follow each change."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result
from doubles import FakeOllama, serving
from label_studio_double import LabelStudioDouble

from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, ModelVersion
from annotune.prompt import ProjectPrompt
from annotune.serving import ServingResolver
from commands.main import annotune
from trainer.context import TrainerContext
from trainer.reconcile import Reconciler
from trainer.sync import sync

PROJECT = 4
VERSION = ModelVersion(
    project=PROJECT,
    number=3,
    model="annotune/main-p4:v0003-1a2b3c4d",
    digest="1a2b3c4d",
    run="r3",
    created_at=datetime(2026, 11, 26, tzinfo=UTC),
    num_ctx=2048,
    state="candidate",
)
TUNED = VERSION.ref


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=3)
    return double


@pytest.fixture
def context(context_with: Callable[..., TrainerContext]) -> TrainerContext:
    made = context_with(openai_provider="ollama", openai_model="small")
    made.store.projects.remember(PROJECT)
    return made


def serving_version(context: TrainerContext) -> str:
    return ServingResolver(context.settings, context.store).resolve(PROJECT).model_version


def backend_of(double: LabelStudioDouble) -> dict[str, Any]:
    [backend] = double.backends[PROJECT]
    return backend


def prompt(context: TrainerContext, text: str) -> None:
    context.store.prompts.add(PROJECT, ProjectPrompt(text=text, source="command", at=datetime.now(UTC)))


def run(context: TrainerContext, *arguments: object, **changed: str) -> Result:
    settings = context.settings
    environment = {
        "REDIS_URL": settings.redis_url,
        "LABEL_STUDIO_URL": str(settings.label_studio_url),
        "LABEL_STUDIO_API_KEY": "legacy",
        "RUNS_DIR": str(settings.runs_dir),
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": settings.openai_model or "",
    }
    result = CliRunner().invoke(annotune, [*map(str, arguments)], env=environment | changed)
    assert result.exit_code == 0, result.output
    return result


def test_the_project_shows_what_answers_after_each_change(context: TrainerContext, double: LabelStudioDouble) -> None:
    backend_of_project = double.connect(PROJECT, serving_version(context))
    seen = []

    def follow() -> None:
        backend_of_project["model_version"] = serving_version(context)  # as Label Studio hears it by /setup
        sync(context, PROJECT)
        assert backend_of(double)["title"] == double.shown[PROJECT] == serving_version(context)
        seen.append(double.shown[PROJECT])

    follow()
    prompt(context, "What is the mood? 😀")
    follow()
    context.store.live.swap(PROJECT, None, TUNED)
    follow()
    context.store.live.swap_back(PROJECT, TUNED, None)
    follow()
    context.store.extra_params.set(PROJECT, ExtraParams(model="small", temperature=0.5))
    double.submit(PROJECT, 0, "40 mg", prompt="How much?")
    sync(context, PROJECT)
    follow()

    assert seen[0] == "small"
    assert seen[2].startswith("annotune/main-p4:v0003-1a2b3c4d@")
    assert seen[3] == seen[1]
    assert len(set(seen)) == 4


def test_what_label_studio_shows_already_is_changed_no_more(context: TrainerContext, double: LabelStudioDouble) -> None:
    """A change of a project comes back as PROJECT_UPDATED, which brings the next look."""
    double.connect(PROJECT, serving_version(context))
    double.shown[PROJECT] = ""
    for _ in range(3):
        sync(context, PROJECT)

    assert [(path, sorted(sent)) for path, sent in double.changes] == [
        ("/api/ml/40", ["auth_method", "description", "extra_params", "project", "title", "url"]),
        ("/api/projects/4/", ["model_version"]),
    ]
    assert double.shown[PROJECT] == serving_version(context)


def test_the_first_title_that_came_back_is_nobodys_choice(context: TrainerContext, double: LabelStudioDouble) -> None:
    """Label Studio saves a project whole, and so what it had when a change of something else began."""
    first_title = double.connect(PROJECT, serving_version(context))["title"]
    sync(context, PROJECT)
    double.shown[PROJECT] = first_title

    sync(context, PROJECT)

    assert double.shown[PROJECT] == serving_version(context)
    assert context.store.reports.scores_missing(PROJECT) == ""


def test_a_project_that_shows_what_answers_is_read_once(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.connect(PROJECT, serving_version(context))
    sync(context, PROJECT)
    double.asked.clear()

    sync(context, PROJECT)

    assert [path for path, *_ in double.asked] == [f"/api/projects/{PROJECT}/", "/api/tasks/"]


def test_what_a_connection_was_given_stays_beside_the_title(context: TrainerContext, double: LabelStudioDouble) -> None:
    """Label Studio checks a change whole: what is not sent along counts as not given."""
    given = {"auth_method": "BASIC_AUTH", "basic_auth_user": "ls", "extra_params": {"temperature": 0.2}}
    double.connect(PROJECT, serving_version(context), title="Our model").update(given)
    sync(context, PROJECT)

    [(_, sent)] = double.changes
    assert sent == given | {
        "title": serving_version(context),
        "description": "Our model",
        "url": "http://backend:9090",
        "project": PROJECT,
        "basic_auth_pass": "",
    }


def test_what_a_person_chose_to_show_stays_and_is_told_once(
    context: TrainerContext, double: LabelStudioDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.connect(PROJECT, serving_version(context))
    double.shown[PROJECT] = "their-model-v1 [draft]"
    for _ in range(3):
        sync(context, PROJECT)

    assert double.changes == []
    assert [record.levelname for record in caplog.records if "their-model-v1" in record.message] == ["WARNING"]
    assert "choose 'their-model-v1 [draft]': that stays; choose 'annotune' there" in run(context, "status").stdout

    double.shown[PROJECT] = "annotune"
    sync(context, PROJECT)
    assert double.shown[PROJECT] == serving_version(context)
    assert "scores" not in run(context, "status").stdout


REFUSALS = {
    "forbidden": ((403, {"detail": "You do not have permission"}), "You do not have permission"),
    "refused": (
        (400, {"detail": "Validation error", "validation_errors": {"non_field_errors": ["health check failed"]}}),
        "health check failed",
    ),
    "broken": ((500, {"detail": "oops"}), "answered 500 (oops)"),
}


@pytest.mark.parametrize(("refusal", "said"), REFUSALS.values(), ids=REFUSALS.keys())
def test_where_label_studio_refuses_it_is_told_once_and_the_look_goes_on(
    context: TrainerContext,
    double: LabelStudioDouble,
    caplog: pytest.LogCaptureFixture,
    refusal: tuple[int, object],
    said: str,
) -> None:
    caplog.set_level(logging.WARNING)
    double.connect(PROJECT, serving_version(context))
    double.change_refusal = refusal
    double.submit(PROJECT, 0, "40 mg", prompt="")
    for _ in range(2):
        sync(context, PROJECT)

    tally = context.store.changes.summary(PROJECT)
    assert tally is not None
    assert sum(tally.left_out.values()) + tally.usable == 1
    assert len([record for record in caplog.records if said in record.message]) == 1
    assert said in run(context, "status").stdout

    double.change_refusal = None
    sync(context, PROJECT)
    assert double.shown[PROJECT] == serving_version(context)
    assert context.store.reports.scores_missing(PROJECT) == ""


def test_another_backend_is_left_alone(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.connect(PROJECT, "yolo-v8", title="Theirs")
    sync(context, PROJECT)

    assert double.changes == []
    assert context.store.reports.scores_missing(PROJECT) == ""


def test_a_project_without_a_backend_is_left_alone(context: TrainerContext, double: LabelStudioDouble) -> None:
    sync(context, PROJECT)

    assert double.changes == []


def test_a_model_or_prompt_of_the_environment_comes_with_the_workers_start(
    context: TrainerContext, context_with: Callable[..., TrainerContext], double: LabelStudioDouble
) -> None:
    double.connect(PROJECT, serving_version(context))
    sync(context, PROJECT)
    restarted = context_with(openai_provider="ollama", openai_model="large", default_prompt="Say it.")
    backend_of(double)["model_version"] = serving_version(restarted)

    Reconciler(restarted.store, restarted.jobs, reconcile_s=300).run()

    assert restarted.jobs.queued("changes") == [PROJECT]
    sync(restarted, PROJECT)
    assert double.shown[PROJECT] == serving_version(restarted)
    assert serving_version(restarted).startswith("large@")


COMMANDS = {
    "models use": ("models", "use", PROJECT, "ollama:large"),
    "models promote": ("models", "promote", PROJECT, "v0003"),
    "models rollback": ("models", "rollback", PROJECT),
    "prompts set": ("prompts", "set", PROJECT, __file__),
    "prompts use": ("prompts", "use", PROJECT, "1"),
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_that_changes_what_answers_queues_a_look(
    context: TrainerContext, double: LabelStudioDouble, arguments: tuple[object, ...]
) -> None:
    ollama = FakeOllama()
    ollama.models = {"small": "", "large": "", TUNED.model: ""}
    context.store.live.swap(PROJECT, None, ModelRef(server="ollama", model="large"))
    context.store.versions.save(VERSION)
    prompt(context, "What is the mood?")
    prompt(context, "How is the mood?")
    before = serving_version(context)
    with serving(ollama) as url:
        run(context, *arguments, OLLAMA_ENDPOINT=url)

    assert serving_version(context) != before or arguments[:2] == ("models", "use")
    assert context.jobs.queued("changes") == [PROJECT]
