"""A new user's way, in a copy of this repository: each step of README as it is written, and what it says is seen then."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from e2e.page import labeling_page
from label_studio_sdk import LabelStudio as Client
from playwright.sync_api import Browser
from readme import README, TRAINING, Step, Typed, steps
from services import Eventually, ServedModel
from shell import Shell

from annotune.settings import Settings
from embedded.annotator import Annotator
from embedded.label_studio import LabelStudio
from embedded.processes import free_port
from embedded.redis import RedisServer

ROOT = README.parent
PROMPT = "Answer in one short sentence."
CORRECTION = "Between 36.1 and 37.2 °C, measured in the mouth."
ANNOTATIONS = 30
SEEN_S = 600
LOOKED_AT_EVERY_S = 3
BROWSER = "Ask, correct, submit"


@dataclass
class Machine:
    """What a new user has before: Label Studio, Ollama and Redis; and the addresses that README has for them."""

    label_studio: LabelStudio
    addresses: dict[str, str]
    project: int = 0
    tasks: tuple[int, ...] = ()

    def as_here(self, text: str) -> str:
        """README's text with this machine's addresses, token and project."""
        for written, here in self.addresses.items():
            text = text.replace(written, here)
        return text


@pytest.fixture
def machine(label_studio: LabelStudio, model_server: ServedModel, tmp_path: Path) -> Iterator[Machine]:
    backend = free_port()
    with RedisServer(tmp_path / "redis") as redis:
        yield Machine(
            label_studio,
            {
                "http://localhost:8080": label_studio.url,
                "LABEL_STUDIO_API_KEY=TOKEN": f"LABEL_STUDIO_API_KEY={label_studio.api_key}",
                "redis://localhost:6379/0": redis.url,
                "http://localhost:11434": model_server.url,
                "http://localhost:9090": f"http://127.0.0.1:{backend}",
                "--port 9090": f"--host 127.0.0.1 --port {backend}",
            },
        )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository as somebody gets it: nothing that was built or installed here."""
    there = tmp_path / "annotune"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, there / name)
    return there


@pytest.mark.browser
@pytest.mark.training
def test_readme_leads_from_a_copy_of_the_repository_to_a_corrected_answer_and_a_training(
    machine: Machine, copy: Path, browser: Browser, eventually: Eventually, tmp_path: Path
) -> None:
    of_ours = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in of_ours and name != "PYTHONPATH"}
    environment |= {"HOME": str(tmp_path), "NO_PROXY": "127.0.0.1,localhost"}
    found = steps(README.read_text(encoding="utf-8"))
    doings: dict[str, Callable[[], None]] = {
        "Make a project and connect it": lambda: make_project(machine, copy),
        BROWSER: lambda: correct_one(machine, browser, tmp_path),
        TRAINING: lambda: correct_more(machine),
    }
    assert doings.keys() <= {step.title for step in found}
    with ExitStack() as open_now:
        shell = open_now.enter_context(Shell(copy, environment))
        for step in found:
            doings.get(step.title, lambda: None)()
            for typed in step.typed:
                take(shell, machine, step, typed, eventually)


def take(shell: Shell, machine: Machine, step: Step, typed: Typed, eventually: Eventually) -> None:
    """Type it. Where README says what is seen, it is seen, at the latest after a while: whoever looks may look again."""
    command = machine.as_here(typed.command)
    promised = Typed(command, tuple(map(machine.as_here, typed.printed)))
    said: list[str] = []

    def seen() -> bool:
        code, output = shell.run(command)
        said[:] = [output]
        assert code == 0, f"step {step.title!r}: {command}\n{output}"
        return not promised.mismatch(output)

    if "status" in command:
        try:
            eventually(seen, SEEN_S, LOOKED_AT_EVERY_S)
        finally:
            print(f"step {step.title!r}: {command}{''.join(said)}")  # noqa: T201 - shown where it fails
    else:
        assert seen(), f"step {step.title!r}: no line {promised.mismatch(said[0])!r} in\n{said[0]}"


def make_project(machine: Machine, copy: Path) -> None:
    """By the calls that Label Studio's own page makes when a project is created and a file is imported."""
    with httpx.Client(
        base_url=machine.label_studio.url,
        headers={"Authorization": f"Token {machine.label_studio.api_key}"},
        timeout=60,
        trust_env=False,
    ) as http:
        template = copy / "prompts" / "projects" / "question-answering"
        config = (template / "labeling.xml").read_text(encoding="utf-8")
        made = http.post("/api/projects", json={"title": "Medical questions", "label_config": config})
        made.raise_for_status()
        machine.project = made.json()["id"]
        file = (template / "tasks.json").read_bytes()
        imported = http.post(f"/api/projects/{machine.project}/import", files={"file": ("tasks.json", file)})
        imported.raise_for_status()
        client = Client(base_url=machine.label_studio.url, api_key=machine.label_studio.api_key, httpx_client=http)
        machine.tasks = tuple(task.id for task in client.tasks.list(project=machine.project))
    machine.addresses |= {
        "connect 1": f"connect {machine.project}",
        "train 1": f"train {machine.project}",
        "project 1": f"project {machine.project}",
    }


def correct_one(machine: Machine, browser: Browser, tmp_path: Path) -> None:
    with labeling_page(browser, machine.label_studio) as tab:
        tab.open(machine.project, machine.tasks[0])
        tab.ask(PROMPT)
        tab.correct(CORRECTION)
        tab.page.screenshot(path=tmp_path / "corrected.png")
        tab.submit()


def correct_more(machine: Machine) -> None:
    """By the calls that the page makes, as in the browser before."""
    with Annotator(machine.label_studio, machine.project) as person:
        for number, task in enumerate(machine.tasks[1:ANNOTATIONS], start=2):
            person.ask(task, PROMPT)
            person.submit(
                task, PROMPT, f"What was asked for in question {number} is in the ward's handbook, page {number}."
            )
