"""A hospital: all parts as real processes on one machine, and a project with a version of its own."""

from contextlib import closing
from dataclasses import dataclass

from label_studio_sdk import LabelStudio as Client

from annotune.label_studio.client import LabelStudioClient
from annotune.models import ModelRef
from annotune.store.store import Store
from curation.projects import NewProject, create_project
from embedded.annotator import Annotator, ModelAnswer
from embedded.deployment import Deployment
from embedded.formulary import Pair
from embedded.label_studio import LabelStudio
from embedded.ollama import OllamaServer
from embedded.redis import RedisServer

FIRST_PROMPT = "Answer the question in one short sentence."
TRAINING_S = 900


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

    def ask(self, project: NewProject, prompt: str) -> ModelAnswer:
        with Annotator(self.label_studio, project.id) as person:
            return person.ask(project.tasks[0], prompt)

    def answers_as_before(self) -> None:
        assert self.ask(self.first, FIRST_PROMPT).model_version.startswith(self.live.model)


def make_project(label_studio: LabelStudio, title: str, config: str, field: str, pairs: tuple[Pair, ...]) -> NewProject:
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as client:
        return create_project(client, title=title, config=config, data=[{field: pair.question} for pair in pairs])


def submit_all(label_studio: LabelStudio, project: NewProject, prompt: str, pairs: tuple[Pair, ...]) -> None:
    with Annotator(label_studio, project.id) as person:
        for task, pair in zip(project.tasks, pairs, strict=False):
            person.submit(task, prompt, pair.answer)
