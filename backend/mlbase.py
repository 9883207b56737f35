"""The second door: for whoever runs `label-studio-ml` and its server already, the same backend as a model class of it.

Works under its release 1.0.9 (`predict(tasks, context=...)`, `fit((), event=..., data=...)`, the project known from the
tasks alone) and under its current state (`predict(tasks, context)`, `fit(event, data)`, with a `project_id`).
"""

import json
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

from annotune.errors import AnnotuneError, RequestInvalid
from annotune.servers.pool import Servers
from annotune.settings import load_settings
from annotune.store.connection import open_store
from backend.model import Model
from backend.requests import Event, Predict, parse
from backend.services import Services
from backend.webhooks import project_of

log = logging.getLogger(__name__)


class AnnotuneModel(LabelStudioMLBase):  # type: ignore[misc]  # the library has no types
    """Answers and learns as our own routes do; made by the library, for each request or once for all."""

    TRAIN_EVENTS = (  # what the release hands to `fit`
        *("START_TRAINING", "PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED"),
        *("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"),
        *("ANNOTATION_DELETED", "ANNOTATIONS_DELETED"),
    )

    @staticmethod
    @cache
    def services() -> Services:
        """What all requests of a process share; made when first asked for.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        settings = load_settings()
        store, jobs = open_store(settings)
        return Services.of(settings, store=store, servers=Servers(settings), jobs=jobs)

    def predict(
        self, tasks: Sequence[dict[str, Any]], context: dict[str, Any] | None = None, **_kwargs: Any
    ) -> list[dict[str, Any]]:
        """One prediction per task; what went wrong is each one's `error`, since the library answers with a traceback."""
        project = getattr(self, "project_id", None) or next((task.get("project") for task in tasks), None)
        body = {"tasks": tasks, "project": project, "label_config": self.label_config, "params": {"context": context}}
        try:
            asked = parse(Predict, json.dumps(body).encode())
            model = Model(asked.project, asked.label_config, self.services())
            return [prediction.as_dict() for prediction in model.predict(asked.tasks, asked.params.context)]
        except AnnotuneError as error:
            if isinstance(error, RequestInvalid):
                self.services().batches.record_refused(error)
            log.warning("%d tasks unanswered: %s: %s", len(tasks), type(error).__name__, error)
            return [{"error": str(error)} for _ in tasks]

    def fit(self, *args: Any, event: str = "", data: dict[str, Any] | None = None, **_kwargs: Any) -> dict[str, Any]:
        """Note what an event tells, as `/webhook` does; the learning itself is the worker's."""
        if args and isinstance(args[0], str):
            event, data = args[0], args[1] if len(args) > 1 else data
        try:
            told = parse(Event, json.dumps((data or {}) | {"action": event}).encode())
            project = project_of(told)
            if project is None:
                raise RequestInvalid("no project was sent: let the webhook send its payload")
            return dict(Model(project, self.label_config, self.services()).fit(event, told))
        except AnnotuneError as error:
            log.warning("%s was not noted: %s", event, error)
            return {"action": event, "queued": False, "message": str(error)}
