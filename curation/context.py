"""What the Python API and the commands work with: settings, Redis, the job queue and Label Studio."""

from contextlib import ExitStack, closing, suppress
from functools import cached_property

from annotune.errors import LabelStudioError, StoreUnavailable
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import ProjectRow
from annotune.labeling.config import Labeling
from annotune.settings import Settings
from annotune.store.connection import OpenStore, open_store
from annotune.store.queue import JobQueue
from annotune.store.redis import Patience
from annotune.store.store import Store

TITLE_S = 5.0


class CurationContext:
    """Each part is opened when it is first used. `close` closes them all."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened = ExitStack()

    def close(self) -> None:
        """Close all connections."""
        self._opened.close()

    @cached_property
    def store(self) -> Store:
        return self._web.store

    @cached_property
    def patient_store(self) -> Store:
        """A store for long work. It waits while Redis restarts, but a Redis that is away at the start is told at once.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        self.store.probe()
        return self._open("job").store

    @cached_property
    def jobs(self) -> JobQueue:
        return self._web.jobs

    @cached_property
    def _web(self) -> OpenStore:
        return self._open("web")

    def _open(self, patience: Patience) -> OpenStore:
        opened = open_store(self.settings, patience=patience)
        self._opened.callback(opened.close)
        return opened

    @cached_property
    def label_studio(self) -> LabelStudioClient:
        """A client of Label Studio.

        Raises:
            ConfigurationError: its address or its key is not set.
        """
        client = LabelStudioClient.from_settings(self.settings)
        self._opened.callback(client.close)
        return client

    def project(self, project: int) -> ProjectRow:
        """A project whose tasks can be read without side effects.

        Raises:
            NotFound: there is no such project.
            LabelStudioError: reading its tasks makes Label Studio fetch predictions.
        """
        found = self.label_studio.projects.get(project)
        if found.evaluate_predictions_automatically:
            raise LabelStudioError(
                f"project {project} has evaluate_predictions_automatically on: Label Studio would itself fetch predictions"
                f" for all tasks that are only read: switch it off there (PATCH /api/projects/{project})"
            )
        return found

    def check_project(self, project: int) -> None:
        """Check that Label Studio has a project. Without an address and a key of Label Studio nothing is checked.

        Raises:
            NotFound: there is no such project.
            Unauthorized, LabelStudioError: Label Studio did not answer as it should.
        """
        if self.settings.has_label_studio:
            self.label_studio.projects.get(project)

    def title(self, project: int) -> str:
        """A project's title, asked for by a client of its own that waits `TITLE_S` at most.

        Raises:
            NotFound, Unauthorized, LabelStudioError: as `check_project`.
        """
        with closing(LabelStudioClient.from_settings(self.settings, timeout_s=TITLE_S)) as client:
            return client.projects.get(project).title

    def labeling(self, config: str, project: int) -> Labeling:
        """A parsed labeling config of a project, whose options say which controls the model fills.

        Raises:
            LabelingInvalid: it cannot be served.
            StoreUnavailable: Redis does not answer.
        """
        return Labeling.from_settings(config, self.settings, self.store.options.get(project).fills)

    def save_copy(self, project: int) -> None:
        """Ask the worker to copy a project's pointers and prompts to RUNS_DIR, for `annotune models rebuild`."""
        with suppress(StoreUnavailable):  # the worker also makes copies on its own
            self.jobs.changed(project)
