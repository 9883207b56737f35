"""`annotune prompts`: versions listed, shown, set, pinned and compared, and restored after Redis was emptied."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from doubles import FakeOllama, serving
from label_studio_double import LabelStudioDouble

from annotune.prompt import ProjectPrompt, Prompt
from annotune.serving import ServingResolver
from annotune.settings import DEFAULT_PROMPT_TEMPLATE, Settings
from annotune.store.store import Store
from commands.main import annotune
from trainer.mark import back_up_project, ensure_paired

AT = datetime(2026, 1, 1, tzinfo=UTC)
Annotune = Callable[..., Result]


class Echo(FakeOllama):
    """Says the first word of a prompt; lacks the model `nope`."""

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["model"] == "nope":
            return 404, {"error": "model 'nope' not found"}
        word = body["messages"][-1]["content"].split()[0]
        return 200, {
            "message": {"role": "assistant", "content": word},
            "done": True,
            "done_reason": "stop",
            "logprobs": [{"token": word, "logprob": -0.5}],
        }


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=3)
    return double


@pytest.fixture
def run(studio: LabelStudioDouble, redis_url: str, tmp_path: Path) -> Iterator[Annotune]:
    (tmp_path / "runs").mkdir()
    double = Echo()
    with serving(double) as url:
        deployment = {
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": "legacy",
            "REDIS_URL": redis_url,
            "OPENAI_PROVIDER": "ollama",
            "OPENAI_MODEL": "small",
            "OLLAMA_ENDPOINT": url,
            "RUNS_DIR": str(tmp_path / "runs"),
        }
        yield lambda *arguments, typed="": CliRunner().invoke(
            annotune, ["prompts", *map(str, arguments)], env=deployment, input=typed
        )


def submitted(text: str, number: int = 1) -> ProjectPrompt:
    return ProjectPrompt(text=text, source=f"annotation {number}", at=AT + timedelta(minutes=number))


def used(store: Store) -> str:
    found = store.prompts.used(4)
    assert found is not None
    return found.text


def test_a_projects_system_prompt_wins_and_changes_the_version(store: Store) -> None:
    live = ServingResolver(Settings(openai_model="m", default_prompt="Go", system_prompt="Be brief."), store)
    before = live.resolve(4)
    store.prompts.set_system(4, "Be kind.")
    after = live.resolve(4)

    assert (before.system, after.system) == ("Be brief.", "Be kind.")
    assert before.model_version != after.model_version
    assert live.resolve(5).model_version == before.model_version
    store.prompts.set_system(4, None)
    assert live.resolve(4) == before


def test_versions_are_listed_with_the_sha_that_predictions_bear(run: Annotune, store: Store) -> None:
    run("set", 4, typed="Be [short].")
    store.prompts.add(4, submitted("Be long.\nVery.", 7))
    run("use", 4, "1")
    lines = run("list", 4).stdout.splitlines()

    assert len(lines) == 3
    assert Prompt("Be long.\nVery.", DEFAULT_PROMPT_TEMPLATE).sha[:8] in lines[1]
    assert "annotation 7" in lines[1]
    assert lines[2].split()[:3] == ["*", "1", "(pinned)"]
    assert "Be [short]." in lines[2]


def test_a_project_without_versions_says_so(run: Annotune) -> None:
    assert "no prompt of its own" in run("list", 4).stdout


def test_a_version_is_shown_and_two_are_told_apart(run: Annotune) -> None:
    run("set", 4, typed="Be short.\nPlease.")
    run("set", 4, typed="Be long.\nPlease.")

    assert run("show", 4, "v1").stdout == "Be short.\nPlease.\n"
    assert run("diff", 4, 1).stdout.splitlines()[2:] == ["@@ -1,2 +1,2 @@", "-Be short.", "+Be long.", " Please."]
    assert run("diff", 4, 2, 2).stdout == ""


def test_a_system_prompt_is_set_with_a_prompt_and_comes_back_with_its_version(run: Annotune, tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_text("You are a nurse.")
    run("set", 4, "--system", file, typed="One")
    file.write_text("You are a doctor.")
    run("set", 4, "--system", file, typed="Two")
    assert run("show", 4, "--system").stdout == "You are a doctor.\n"

    run("use", 4, 1)
    assert run("show", 4, "--system").stdout == "You are a nurse.\n"


def test_setting_a_prompt_ends_a_pin_unless_it_is_to_be_pinned(run: Annotune, store: Store) -> None:
    run("set", 4, "--pin", typed="One")
    store.prompts.add(4, submitted("Two", 2))
    assert used(store) == "One"

    said = run("set", 4, typed="Three").stdout
    assert "version 1 is no longer pinned" in said
    assert "annotune prompts use 4 3" in said
    assert used(store) == "Three"
    assert "pinned" not in run("set", 4, typed="Three").stdout
    store.prompts.add(4, submitted("Four", 5))
    assert used(store) == "Four"
    assert "is used" in run("use", 4, "latest").stdout


def test_two_prompts_are_compared_on_the_same_tasks(run: Annotune, studio: LabelStudioDouble) -> None:
    run("set", 4, typed="Forty mg.")
    run("set", 4, typed="Fifty mg.")
    studio.submit(4, 1, "forty")
    before = len(studio.asked)
    shown = run("compare", 4, 1, 2, "--tasks", 3)

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("(score 0.61)") == 4
    assert "(right 1.00, score 0.61)" in shown.stdout
    assert "(right 0.00, score 0.61)" in shown.stdout
    assert "right 1.00 of 1, score 0.61 of 3" in shown.stdout
    assert not [path for path, *_ in studio.asked[before:] if "prediction" in path]


def test_what_is_not_answered_is_told_in_the_comparison(run: Annotune, studio: LabelStudioDouble) -> None:
    run("set", 4, typed="One.")
    studio.projects[4][0]["data"] = {"other": 1}

    shown = run("compare", 4, 1, 1)
    [first, *others] = json.loads(run("compare", 4, 1, 1, "--json").stdout)[::2]

    assert shown.exit_code == 1
    assert "no field 'question'" in shown.stdout
    assert "2 of 6 answers are missing" in shown.stderr
    assert (first["answer"], "no field 'question'" in first["reason"]) == (None, True)
    assert [row["answer"] for row in others] == ["One.", "One."]


def test_an_error_that_all_would_meet_is_told_once(run: Annotune) -> None:
    run("set", 4, typed="One.")

    shown = run("compare", 4, 1, 1, "--model", "ollama:nope")

    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "has no model 'nope': run 'ollama pull nope'" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_an_odd_task_is_compared_all_the_same(run: Annotune, studio: LabelStudioDouble) -> None:
    run("set", 4, typed="Forty {text}")
    studio.projects[4][0]["data"] = {"question": "half \ud83d of a pair"}

    shown = run("compare", 4, 1, 1)
    assert (shown.exit_code, shown.stdout.count("(score 0.61)")) == (0, 6)


def test_history_pin_and_system_prompt_survive_an_emptied_redis(run: Annotune, store: Store, tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("Be kind.")
    run("set", 4, "--system", tmp_path / "system.txt", typed="One")
    run("set", 4, typed="Two")
    run("use", 4, 1)
    back_up_project(store, tmp_path / "runs", 4)
    store._redis.flushall()
    ensure_paired(store, tmp_path / "runs")

    assert used(store) == "One"
    assert (store.prompts.pinned(4), store.prompts.system(4)) == (1, "Be kind.")
    assert [version.text for version in store.prompts.versions(4)] == ["One", "Two"]
    store.prompts.add(4, submitted("Three", 3))
    assert store.prompts.versions(4)[-1].number == 3


@pytest.mark.parametrize(
    ("typed", "system", "told"),
    [
        (
            "Of {txt} in {year}",
            "",
            "The prompt has {txt}, which names nothing in the tasks of project 4: did you mean {text}?",
        ),
        ("Of {qestion}", "", "did you mean {question}?"),
        (
            "Say {answer}",
            "",
            "The prompt has {answer}, which names nothing in the tasks of project 4: it is sent as it stands.",
        ),
        ("Of {text}", "Of {question}", "The system prompt has {question}, which is sent as it stands"),
        ("Of {text}", "Of {labels}", "The system prompt has {labels}, which is sent as it stands"),
        ('Of {text}, {question}, {year}: {"topic": "{labels}"}', "As {a}", ""),
    ],
)
def test_what_of_a_prompt_names_nothing_is_told_when_it_is_set(
    run: Annotune, store: Store, studio: LabelStudioDouble, tmp_path: Path, typed: str, system: str, told: str
) -> None:
    studio.projects[4][2]["data"]["year"] = 1904
    (tmp_path / "system.txt").write_text(system)

    result = run("set", 4, "--system", tmp_path / "system.txt", typed=typed)

    assert (result.exit_code, used(store)) == (0, typed)
    heard = result.stderr.replace("no worker is alive: its copy in RUNS_DIR follows when 'annotune worker' runs\n", "")
    assert told in heard
    assert bool(told) == bool(heard)


def test_setting_a_prompt_makes_label_studio_fetch_no_predictions(run: Annotune, studio: LabelStudioDouble) -> None:
    studio.evaluating.add(4)

    assert "{txt}" in run("set", 4, typed="Of {txt}").stderr
    assert "/api/tasks/" not in [path for path, *_ in studio.asked]


def test_what_names_nothing_is_told_beside_the_comparison(run: Annotune, studio: LabelStudioDouble) -> None:
    run("set", 4, typed="Forty {qestion}")
    run("set", 4, typed="Fifty {text} {year}")
    studio.projects[4][0]["data"]["year"] = 1904

    assert run("compare", 4, 1, 2).stderr.splitlines() == [
        "version 1: The prompt has {qestion}, which names nothing in 3 of 3 tasks: did you mean {question}?",
        "version 2: The prompt has {year}, which names nothing in 2 of 3 tasks: it is sent as it stands.",
    ]
