"""What the fault tests share: one hospital for all that do not kill at random."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hospital import FIRST_PROMPT, TRAINING_S, Hospital, make_project, submit_all
from label_studio_sdk import LabelStudio as Client
from services import Eventually

from annotune.servers.ollama import OllamaClient
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from curation.templates import find_template
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.deployment import Deployment
from embedded.formulary import formulary
from embedded.label_studio import LabelStudio
from embedded.ollama import OllamaServer
from embedded.redis import RedisServer


@pytest.fixture(scope="session")
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
            store = Store(connection, "faults")
            pairs = formulary(3, 17)
            first = make_project(label_studio, "First", find_template("question-answering").config, "question", pairs)
            deployment.run("connect", str(first.id))
            submit_all(label_studio, first, FIRST_PROMPT, pairs)
            deployment.run("train", str(first.id), "--no-wait")
            eventually(lambda: store.runs.all(first.id), TRAINING_S)
            live = store.live.get(first.id)
            assert live, store.runs.all(first.id)[0].reason
            yield Hospital(redis, ollama, label_studio, client, deployment, store, first, live)
