"""The two deployments that README and docs/install.md lead to, each brought up once and always taken down."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from containers import Deployment
from person import Person
from services import Eventually

from curation.templates import find_template
from embedded.base_model import BASE_MODEL, base_gguf
from embedded.formulary import Pair, formulary
from embedded.label_studio import LabelStudio
from embedded.processes import free_port

FIRST_START_S = 600
MODEL_START_S = 120
SEED = 3
DOLLARS = "a$$b $HOME#c"
# This machine, as the backend's network sees it: docker-compose.yml, STUDIO_GATEWAY.
GATEWAY = "10.237.0.1"
ASK_OLLAMA = """
from annotune.servers.ollama import OllamaClient
from annotune.settings import load_settings
OllamaClient(load_settings().ollama_url).registry.version()
print("ok")
"""
# Read from standard input: the base model, which goes to the Ollama that the backend asks.
ADD_MODEL = f"""
import pathlib, sys
from annotune.files import file_sha256
from annotune.servers.ollama import OllamaClient
from annotune.settings import load_settings
gguf = pathlib.Path("/tmp/base.gguf")
gguf.write_bytes(sys.stdin.buffer.read())
server = OllamaClient(load_settings().ollama_url)
server.registry.push(gguf, file_sha256(gguf))
server.registry.create({BASE_MODEL!r}, file_sha256(gguf), parameters={{"temperature": 0}})
gguf.unlink()
"""


@dataclass(frozen=True)
class Stack:
    """A deployment, a person who is signed in to its Label Studio, and project 1 with a task for each pair."""

    deployment: Deployment
    person: Person
    project: int
    tasks: list[int]
    pairs: tuple[Pair, ...]

    def annotune(self, *arguments: str, service: str = "backend") -> str:
        return self.deployment.inside(service, "annotune", *arguments)


@pytest.fixture(scope="session", autouse=True)
def compose() -> None:
    """`docker compose` is there and has an engine."""
    for command in (["docker", "compose", "version"], ["docker", "info"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.exit(f"needs Docker Compose with an engine: {' '.join(command)}: {done.stderr.strip()}", 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, eventually: Eventually) -> Iterator[Stack]:
    """All in one, with a worker that trains on the CPU."""
    folder = tmp_path_factory.mktemp("whole") / "annotune"
    with brought_up(folder, {"COMPOSE_FILE": "docker-compose.yml:docker-compose.cpu.yml"}) as made:
        settings = made.settings
        person = Person(f"http://localhost:{settings['LABEL_STUDIO_PORT']}")
        eventually(person.is_up, FIRST_START_S)
        assert person.sign_in(settings["LABEL_STUDIO_USERNAME"], settings["LABEL_STUDIO_PASSWORD"])
        yield connected(made, person, eventually)
        person.close()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, eventually: Eventually) -> Iterator[Stack]:
    """Redis, Ollama, the backend and a worker that trains nothing; Label Studio is a program of this machine."""
    folder, port, backend_port = tmp_path_factory.mktemp("outside"), free_port(), free_port()
    settings = {
        "COMPOSE_PROFILES": "ollama",
        "LABEL_STUDIO_URL": f"http://host.docker.internal:{port}",
        "BACKEND_BIND": GATEWAY,
        "BACKEND_URL": f"http://{GATEWAY}:{backend_port}",
        "BACKEND_PORT": str(backend_port),
    }
    with (
        brought_up(folder / "annotune", settings) as made,
        LabelStudio(folder / "theirs", port, host=GATEWAY) as theirs,
    ):
        person = Person(theirs.url)
        assert person.sign_in(theirs.email, theirs.password)
        yield connected(made, person, eventually)
        person.close()


@contextmanager
def brought_up(folder: Path, settings: dict[str, str]) -> Iterator[Deployment]:
    """A deployment from `make env` and these lines of `.env`, up as long as the block lasts."""
    label_studio_port = free_port()
    given = {
        "LABEL_STUDIO_USERNAME": "first@example.org",
        "LABEL_STUDIO_PORT": str(label_studio_port),
        "LABEL_STUDIO_HOST": f"http://localhost:{label_studio_port}",
        "BACKEND_PORT": str(free_port()),
        "OPENAI_MODEL": BASE_MODEL,
        "OPENAI_API_KEY": f"'{DOLLARS}'",
        "HF_TOKEN": "hf_made_up",
        "TEMPERATURE": "0",
        "HOST_GATEWAY": GATEWAY,
    }
    made = Deployment("annotune-test-compose", folder, given | settings)
    (made.folder / "label-studio.env").write_text("EXTRA_LABEL_STUDIO='told $it'\nSENTRY_DSN=https://maker.example\n")
    (made.folder / "ollama.env").write_text("OLLAMA_NUM_PARALLEL=2\n")
    try:
        made.down()  # what an earlier run left that was killed
        made.up()
        yield made
    finally:
        made.down()


def connected(made: Deployment, person: Person, eventually: Eventually) -> Stack:
    """The steps of docs/install.md after the first `up`."""
    eventually(lambda: "ok" in made.inside("backend", "python3", "-c", ASK_OLLAMA, ok=(0, 1)), MODEL_START_S)
    made.inside("backend", "python3", "-c", ADD_MODEL, stdin=base_gguf().read_bytes())
    made.set(LABEL_STUDIO_API_KEY=person.token())
    made.up()
    pairs = formulary(SEED)
    data = [{"question": pair.question} for pair in pairs]
    project, tasks = person.project(find_template("question-answering").config, data)
    made.inside("backend", "annotune", "connect", str(project))
    return Stack(made, person, project, tasks, pairs)
