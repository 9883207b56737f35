"""The article's commands are killed at random moments, and Label Studio restarts beneath them: all is there, and once.

`make faults`. A killed command leaves a lease behind, for which the next one waits: about eight minutes on two cores.
"""

import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e.article_way import Way, medicine
from e2e.scripted_model import MODEL, ScriptedModel
from integration.doubles import serving
from services import Eventually

from annotune.label_studio.client import LabelStudioClient
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from embedded.deployment import ANNOTUNE, ROOT, Deployment
from embedded.label_studio import LabelStudio
from embedded.redis import RedisServer

SEED = 20261127
KILLS = 10
TEXTS = 100
KILLED = ("import", "predict", "curate", "dataset")
FIRST_S, LAST_S = 0.5, 6.0  # after which a command is killed, at random
COMMAND_S = 300
AT_ONCE_S = 0.01
AWAY = "answers again"
FREED = "frees the project within 30 s"
TRIES, TRY_AGAIN_S = 10, 5


@dataclass
class Commands:
    """Runs commands, some of which are killed first: `moments` are the seconds after which."""

    deployment: Deployment
    store: Store
    moments: list[float] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    each: int = 2
    meanwhile: Callable[[tuple[str, ...]], object] = lambda _: None

    def run(self, *arguments: str) -> str:
        """Kill the command `each` times while there are moments left, then let it end; what it prints."""
        for _ in range(self.each if arguments[0] in KILLED else 0):
            if not self.moments:
                break
            with self._started(arguments) as process:
                try:
                    process.wait(self.moments.pop(0))
                except subprocess.TimeoutExpired:
                    process.kill()
                    self.killed.append(arguments[0])
        code, said = self._ended(arguments)
        for _ in range(TRIES):
            if FREED not in said:  # 'predict' names the one that was killed, and leaves the waiting to a person
                break
            threading.Event().wait(TRY_AGAIN_S)
            code, said = self._ended(arguments)
        assert code == 0, (arguments, said)
        return said

    def _ended(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        with self._started(arguments) as process:
            self.meanwhile(arguments)
            said, _ = process.communicate(timeout=COMMAND_S)
        return process.returncode, said

    def _started(self, arguments: tuple[str, ...]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*ANNOTUNE, *arguments],
            env={**os.environ, **self.deployment.environment},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def commands(label_studio: LabelStudio, tmp_path: Path) -> Iterator[Commands]:
    """A backend whose model proposes the questions of each text."""
    model = ScriptedModel()
    about = medicine(TEXTS)
    for number, text in enumerate(about.texts):
        model.replies[text] = "\n".join(about.questions(number)).upper()
    with ExitStack() as opened:
        model.url = opened.enter_context(serving(model))
        redis = opened.enter_context(RedisServer(tmp_path / "redis"))
        settings = {
            "REDIS_URL": redis.url,
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.api_key,
            "DEPLOYMENT": "curation",
            "OPENAI_PROVIDER": "ollama",
            "OPENAI_MODEL": MODEL,
            "OLLAMA_ENDPOINT": model.url,
        }
        deployment = opened.enter_context(Deployment(tmp_path, settings))
        deployment.start_backend()
        connection = opened.enter_context(connect_redis(redis.url, patience="job", decode=True))
        yield Commands(deployment, Store(connection, "curation"))


@pytest.fixture
def way(commands: Commands, label_studio: LabelStudio, tmp_path: Path) -> Iterator[Way]:
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as studio:
        yield Way(commands.run, label_studio, studio, tmp_path, medicine(TEXTS))


def test_killed_at_ten_random_moments_and_run_again_all_is_there_once(commands: Commands, way: Way) -> None:
    chance = random.Random(SEED)  # noqa: S311 - when a command is killed
    commands.moments = [chance.uniform(FIRST_S, LAST_S) for _ in range(KILLS)]

    for _, command in way.commands():
        command()

    assert len(commands.killed) >= KILLS // 2, commands.killed
    assert set(commands.killed) >= {"import", "predict", "curate"}
    way.check_complete()


def test_label_studio_is_killed_beneath_commands_and_they_go_on(
    commands: Commands, way: Way, label_studio: LabelStudio, eventually: Eventually
) -> None:
    waited: list[str] = []

    def kill(arguments: tuple[str, ...]) -> None:
        if arguments[0] in {"import", "curate"}:
            changed = int(arguments[1] if arguments[0] == "import" else arguments[-1])
            eventually(lambda: commands.store.leases.held(changed, "tasks"), COMMAND_S, AT_ONCE_S)
            label_studio.service.stop(grace_s=0)
            label_studio.start()

    def run(*arguments: str) -> str:
        said = commands.run(*arguments)
        waited.extend(arguments[0] for word in (AWAY,) if word in said)
        return said

    commands.meanwhile, way.run = kill, run
    for _, command in way.commands():
        command()

    assert waited
    way.check_complete()
