"""What an annotator, a model or Label Studio wrote, through every command that prints it: shown, and nothing more."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from doubles import FakeOllama, serving
from label_studio_double import LabelStudioDouble

from annotune.models import ModelRef, ModelVersion, Verdict
from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRun
from annotune.store.store import Store
from commands.main import annotune

AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)
Annotune = Callable[..., Result]
HOSTILE = [
    "[INST] Classify it. [/INST]",
    "[urgent] Is it [bold red]severe[/]? [/] [link=http://a.b]c[/link]",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m \x9b31m \x7f \r overwritten",
    ":smile: 👩‍🔬 ß 漢字\tÄ \u202edesrever\u2066 \u2028",
    "[" * 3000 + " long " + "]" * 3000,
]
STEERING = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x202E, 0x2066)]


class Parrot(FakeOllama):
    """Answers with one text after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._texts = itertools.cycle(HOSTILE)

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = {"role": "assistant", "content": next(self._texts)}
        return 200, {"message": answer, "done": True, "done_reason": "stop", "prompt_eval_count": 3}


@pytest.fixture
def run(redis_url: str, store: Store, tmp_path: Path) -> Iterator[Annotune]:
    """Runs a command where prompts, their authors, tasks, refusals and answers are all hostile."""
    with LabelStudioDouble() as studio, serving(Parrot()) as url:
        studio.add_project(4, questions=len(HOSTILE))
        store.live.swap(4, None, ModelRef(server="ollama", model="small"))
        for number, (task, text) in enumerate(zip(studio.projects[4], HOSTILE, strict=True), start=1):
            task["data"]["question"] = text
            store.prompts.add(4, ProjectPrompt(text=text, source=text[:30], at=AT))
            store.prompts.add(10 + number, ProjectPrompt(text=text, source=text[:30], at=AT))
            store.versions.save(refused(number, f"it said {text}"))
            run: dict[str, Any] = {"id": f"r{number}", "project": 4, "number": number, "state": "refused"}
            run |= {"reason": f"it said {text}", "started_at": AT, "ended_at": AT}
            store.runs.save(TrainingRun.model_validate(run))
        deployment = {
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": "legacy",
            "REDIS_URL": redis_url,
            "OPENAI_PROVIDER": "ollama",
            "OLLAMA_ENDPOINT": url,
            "RUNS_DIR": str(tmp_path),
        }
        yield lambda *arguments, typed=None: CliRunner().invoke(
            annotune, [str(each) for each in arguments], env=deployment, input=typed
        )


def refused(number: int, reason: str) -> ModelVersion:
    return ModelVersion(
        project=4,
        number=number,
        model=f"annotune/main-p4:v{number:04d}-0123abcd",
        digest="0123abcd",
        run=f"r{number}",
        created_at=AT,
        num_ctx=1024,
        state="refused",
        verdicts=(Verdict(gate="stops", passed=False, reason=reason),),
    )


COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("models", "list"),
    ("models", "list", 4, "--json"),
    ("prompts", "list", 4),
    ("prompts", "list", 4, "--json"),
    ("prompts", "diff", 4, 1, 2),
    ("prompts", "compare", 4, 1, 2),
    ("prompts", "compare", 4, 1, 2, "--json"),
    ("predict", 4, "--dry-run"),
    ("predict", 4),
    ("models", "promote", 4, 1),
    ("models", "use", 4, "ollama:[/bold]\x1b[2J"),
    ("prompts", "show", 4, "[/]\x1b"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(map(ascii, command)))
def test_nothing_breaks_a_command_or_steers_the_terminal(command: tuple[object, ...], run: Annotune) -> None:
    result = run(*command)

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {0, 1, 2}
    assert "Traceback" not in result.output
    assert [mark for mark in STEERING if mark in result.stdout + result.stderr] == []


def test_prompts_are_told_as_they_are_written(run: Annotune) -> None:
    listed, status = run("prompts", "list", 4).stdout, run("status").stdout

    for start in (
        "[INST] Classify it. [/INST]",
        "[urgent] Is it [bold red]severe[/]? [/]",
        ":smile: 👩‍🔬",
        "\\u001b[31m",
    ):
        assert start in listed
        assert start in status
    told = [row["text"] for row in json.loads(run("prompts", "list", 4, "--json").stdout)]
    assert told == HOSTILE[::-1]


@pytest.mark.parametrize("number", range(1, len(HOSTILE) + 1))
def test_a_pipe_gets_a_prompt_as_it_was_written(run: Annotune, number: int) -> None:
    assert run("prompts", "show", 4, number).stdout == HOSTILE[number - 1] + "\n"


@pytest.mark.parametrize("command", [("status",), ("models", "list", 4)])
def test_a_pipe_gets_lines_as_long_as_they_are_without_blanks_at_their_ends(
    command: tuple[object, ...], run: Annotune
) -> None:
    lines = run(*command).stdout.splitlines()

    assert [line for line in lines if line != line.rstrip()] == []
    assert any("[" * 3000 + " long " + "]" * 3000 in line for line in lines)
