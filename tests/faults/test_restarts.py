"""Parts are killed, stopped and restarted while people work: nothing is lost, and the live version goes on answering.

`make faults`; about ten minutes on two cores. Two projects are really trained.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from label_studio_sdk import LabelStudio as Client
from services import Eventually

from annotune.model import ModelRef
from annotune.servers.ollama import OllamaServer as OllamaClient
from annotune.store import Store, connect_redis
from curation.projects import NewProject, create_project, labeling_config
from embedded.annotator import Annotator, Answer
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.deployment import Deployment
from embedded.formulary import Pair, formulary
from embedded.label_studio import LabelStudio
from embedded.ollama import OllamaServer
from embedded.redis import RedisServer

ARTICLE_SECOND = (Path(__file__).resolve().parents[1] / "data" / "article" / "project2.xml").read_text(encoding="utf-8")
FIRST_PROMPT = "Answer the question in one short sentence."
SECOND_PROMPT = "Reply as our formulary does."
TRAINING_S = 900
ANEW_S = 180
SAME_WEBHOOKS = 50


@dataclass(frozen=True)
class Hospital:
    """All parts, each of which a test may restart, and one project with a version of its own."""

    redis: RedisServer
    ollama: OllamaServer
    label_studio: LabelStudio
    client: Client
    deployment: Deployment
    store: Store
    first: NewProject
    live: ModelRef

    def ask(self, project: NewProject, prompt: str) -> Answer:
        with Annotator(self.label_studio, project.id) as person:
            return person.ask(project.tasks[0], prompt)

    def answers_as_before(self) -> None:
        assert self.ask(self.first, FIRST_PROMPT).model_version.startswith(self.live.model)


@pytest.fixture(scope="module")
def hospital(
    tmp_path_factory: pytest.TempPathFactory,
    label_studio: LabelStudio,
    trainer_python: Path,
    short_recipe: Path,
    eventually: Eventually,
) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    with (
        RedisServer(folder / "redis") as redis,
        OllamaServer(folder / "ollama") as ollama,
        httpx.Client(timeout=60) as http,
    ):
        client = Client(base_url=label_studio.url, api_key=label_studio.api_key, httpx_client=http)
        registry = OllamaClient(ollama.url)
        add_base_model(registry)
        registry.close()
        settings = {
            "OPENAI_PROVIDER": "ollama",
            "OPENAI_MODEL": BASE_MODEL,
            "OLLAMA_ENDPOINT": ollama.url,
            "REDIS_URL": redis.url,
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.api_key,
            "DEPLOYMENT": "faults",
            "TEMPERATURE": "0",
            "MAX_TOKENS": "48",
            "NUM_CTX": "2048",
            "THREADS": "8",
            "RECIPE": str(short_recipe),
            "TRAINER_PYTHON": str(trainer_python),
        }
        with (
            Deployment(folder, settings) as deployment,
            connect_redis(redis.url, patience="job", decode=True) as connection,
        ):
            deployment.start_backend()
            deployment.start_worker()
            store = Store(connection)
            pairs = formulary(3, trained=12, held_out=5)
            first = make_project(client, "First", labeling_config("question-answering"), "question", pairs)
            deployment.run("connect", str(first.id))
            submit_all(label_studio, first, FIRST_PROMPT, pairs)
            deployment.run("train", str(first.id), "--no-wait")
            eventually(lambda: store.runs(first.id), TRAINING_S)
            live = store.live(first.id)
            assert live, store.runs(first.id)[0].reason
            yield Hospital(redis, ollama, label_studio, client, deployment, store, first, live)


def make_project(client: Client, title: str, config: str, field: str, pairs: tuple[Pair, ...]) -> NewProject:
    return create_project(client, title=title, config=config, data=[{field: pair.question} for pair in pairs])


def submit_all(label_studio: LabelStudio, project: NewProject, prompt: str, pairs: tuple[Pair, ...]) -> None:
    with Annotator(label_studio, project.id) as person:
        for task, pair in zip(project.tasks, pairs, strict=False):
            person.submit(task, prompt, pair.answer)


RESTARTS: dict[str, Callable[[Hospital], None]] = {
    "backend": lambda all_: (all_.deployment.backend.stop(), all_.deployment.start_backend())[0],
    "backend killed": lambda all_: (all_.deployment.backend.stop(grace_s=0), all_.deployment.start_backend())[0],
    "worker": lambda all_: (all_.deployment.worker.stop(), all_.deployment.start_worker())[0],
    "redis": lambda all_: all_.redis.restart(),
    "model server": lambda all_: all_.ollama.restart(),
}


@pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS.keys())
def test_the_live_version_answers_after_a_restart_of(restart: Callable[[Hospital], None], hospital: Hospital) -> None:
    hospital.answers_as_before()
    restart(hospital)
    hospital.answers_as_before()


def test_the_last_known_version_answers_while_redis_is_away(hospital: Hospital) -> None:
    hospital.answers_as_before()
    hospital.redis.stop()
    try:
        hospital.answers_as_before()
        event = {"action": "ANNOTATION_CREATED", "project": {"id": hospital.first.id}}
        assert httpx.post(f"{hospital.deployment.url}/webhook", json=event).status_code == httpx.codes.OK
    finally:
        hospital.redis.start()


def test_a_second_project_survives_a_killed_worker_and_a_redis_away_at_its_end(
    hospital: Hospital, eventually: Eventually
) -> None:
    """Meanwhile one more is annotated, and its webhook comes fifty times: one run, and it is in the next dataset."""
    store, deployment = hospital.store, hospital.deployment
    pairs = formulary(11, trained=13, held_out=6)
    second = make_project(hospital.client, "Second", ARTICLE_SECOND, "text", pairs)
    deployment.run("connect", str(second.id))
    submit_all(hospital.label_studio, second, SECOND_PROMPT, pairs[:-1])
    with Annotator(hospital.label_studio, second.id) as person:
        deployment.run("train", str(second.id), "--no-wait")

        def training() -> str | None:
            told = store.progress(second.id)
            return told.run if told and told.stage == "train" and told.step else None

        killed = eventually(training, TRAINING_S)
        deployment.worker.stop(grace_s=0)
        deployment.start_worker()
        assert eventually(lambda: (anew := training()) and anew != killed and anew, ANEW_S)

        late = person.submit(second.tasks[-1], SECOND_PROMPT, pairs[-1].answer)
        event = {
            "action": "ANNOTATION_CREATED",
            "project": {"id": second.id},
            "task": {"id": second.tasks[-1]},
            "annotation": {"id": late, "result": []},
        }
        for _ in range(SAME_WEBHOOKS):
            assert httpx.post(f"{deployment.url}/webhook", json=event).status_code == httpx.codes.OK

    eventually(lambda: (told := store.progress(second.id)) and told.stage in {"register", "gates"}, TRAINING_S)
    hospital.redis.restart()
    [run] = eventually(lambda: store.runs(second.id), TRAINING_S)

    assert run.state == "promoted", run.reason
    assert run.id != killed
    assert late not in run.annotations
    assert hospital.ask(second, SECOND_PROMPT).model_version.startswith(f"annotune/faults-p{second.id}:")
    hospital.answers_as_before()
    eventually(lambda: (tally := store.tally(second.id)) and tally.new == 1, TRAINING_S)
    assert len(store.runs(second.id)) == 1
