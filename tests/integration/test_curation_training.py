"""`annotune train` against the real Label Studio and Redis; a thread of the test plays the worker."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from click.testing import CliRunner, Result
from label_studio_sdk import LabelStudio as Client

from annotune.runs import Progress, SyncSummary, TrainingRun
from annotune.settings import Settings
from annotune.store.connection import open_store
from annotune.store.queue import TRAINING
from annotune.store.store import Store
from commands.main import annotune
from embedded.label_studio import LabelStudio

CONFIG = '<View><Text name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>'
AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)
Annotune = Callable[..., Result]


@pytest.fixture
def project(label_studio: LabelStudio) -> int:
    with httpx.Client(timeout=30) as http:
        client = Client(base_url=label_studio.url, api_key=label_studio.api_key, httpx_client=http)
        return int(client.projects.create(title="Formulary", label_config=CONFIG).id)


@pytest.fixture
def run(label_studio: LabelStudio, redis_url: str) -> Annotune:
    deployment = {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "REDIS_URL": redis_url,
        "RECIPE": "small",
    }

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(annotune, [str(each) for each in arguments], env=deployment)

    return invoke


@pytest.fixture
def worker(store: Store, project: int, eventually: Callable[..., object]) -> Iterator[Callable[..., None]]:
    """`worker(state, reason)`: carries out the next training that is wanted, and lets it end so."""
    threads: list[threading.Thread] = []
    store.workers.heartbeat(60)

    def work(state: str, reason: str) -> None:
        eventually(lambda: store.training.requested(project))
        store.training.set_progress(project, Progress(run="r1", stage="train", step=3, steps=40, loss=2.5, left_s=61))
        run = {"id": "r1", "project": project, "number": 1, "state": state, "reason": reason, "started_at": AT}
        store.runs.save(TrainingRun.model_validate(run | {"examples": 12}))
        store.training.end(project)

    def start(state: str, reason: str = "") -> None:
        threads.append(threading.Thread(target=work, args=(state, reason)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


@pytest.fixture
def train(run: Annotune, project: int, worker: Callable[..., None]) -> Annotune:
    """Runs `annotune train` while the worker carries a training out that ends as told."""

    def watch(*ending: str) -> Result:
        worker(*ending)
        return run("train", project)

    return watch


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (("promoted",), 0, "is live, trained on 12 examples"),
        (("waiting", "PROMOTE=manual"), 0, "waits for a person: PROMOTE=manual"),
        (("refused", "the held-out loss did not fall"), 1, "the held-out loss did not fall"),
        (("failed", "the disk is full"), 1, "the disk is full"),
    ],
)
def test_train_waits_for_the_end_and_tells_it(ending, code, said, train) -> None:
    result = train(*ending)

    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_no_wait_queues_one_training_and_returns(run, project, store, redis_url) -> None:
    assert run("train", project, "--no-wait").exit_code == 0

    again = run("train", project, "--no-wait")

    assert "requested or running already" in again.stdout
    wanted = store.training.requested(project)
    assert wanted is not None
    assert wanted.requested_by == "command"
    assert open_store(Settings(redis_url=redis_url)).jobs.lengths()[TRAINING] == 1


def test_train_says_that_no_worker_is_alive(run, project) -> None:
    assert "annotune worker" in run("train", project, "--no-wait").stderr


def test_train_says_how_many_annotations_are_missing(run, project, store) -> None:
    lacks = "it takes 25 usable annotations (MIN_EXAMPLES + 5), and there are 18: submit 7 more"
    store.changes.set_summary(project, SyncSummary(usable=18, new=18, left_out={}, kinds={}, at=AT, lacks=lacks))

    assert lacks in run("train", project, "--no-wait").stderr


def test_train_of_a_project_that_does_not_exist_is_one_sentence_and_queues_nothing(run, store) -> None:
    result = run("train", 987654)

    assert result.exit_code == 1
    assert "987654" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert store.training.requested(987654) is None


@pytest.mark.parametrize("command", [("models", "use", 987654, "ollama:small"), ("prompts", "show", 987654)])
def test_other_commands_tell_a_missing_project_too(run, command) -> None:
    result = run(*command)

    assert result.exit_code == 1
    assert "987654" in result.stderr
