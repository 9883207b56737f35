"""The same backend as a model class of `label-studio-ml`, for those who already run that library's server.

It works with release 1.0.9, which calls `predict(tasks, context=...)` and `fit((), event=..., data=...)`, and names the
project only in the tasks. It works with the library's current state too, which calls `predict(tasks, context)` and
`fit(event, data)`, and sets `project_id`.
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
    """Answers and learns as our own routes do. The library makes one for each request, or one for all."""

    TRAIN_EVENTS = (  # release 1.0.9 passes only these to `fit`
        *("START_TRAINING", "PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED"),
        *("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"),
        *("ANNOTATION_DELETED", "ANNOTATIONS_DELETED"),
    )

    @staticmethod
    @cache
    def services() -> Services:
        """The objects that all requests of a process share, made by the first request.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        settings = load_settings()
        store, jobs = open_store(settings)
        return Services.of(settings, store=store, servers=Servers(settings), jobs=jobs)

    def predict(
        self, tasks: Sequence[dict[str, Any]], context: dict[str, Any] | None = None, **_kwargs: Any
    ) -> list[dict[str, Any]]:
        """One prediction for each task. After an error, each task gets an `error`: the library would send a traceback."""
        project = getattr(self, "project_id", None) or next((task.get("project") for task in tasks), None)
        body = {"tasks": tasks, "project": project, "label_config": self.label_config, "params": {"context": context}}
        try:
            request = parse(Predict, json.dumps(body).encode())
            model = Model(request.project, request.label_config, self.services())
            return [prediction.as_dict() for prediction in model.predict(request.tasks, request.params.context)]
        except AnnotuneError as error:
            if isinstance(error, RequestInvalid):
                self.services().batches.record_refused(error)
            log.warning("%d tasks unanswered: %s: %s", len(tasks), type(error).__name__, error)
            return [{"error": str(error)} for _ in tasks]

    def fit(self, *args: Any, event: str = "", data: dict[str, Any] | None = None, **_kwargs: Any) -> dict[str, Any]:
        """Handle an event as `/webhook` does. The worker does the training."""
        if args and isinstance(args[0], str):
            event, data = args[0], args[1] if len(args) > 1 else data
        try:
            parsed = parse(Event, json.dumps((data or {}) | {"action": event}).encode())
            project = project_of(parsed)
            if project is None:
                raise RequestInvalid("no project was sent: let the webhook send its payload")
            return dict(Model(project, self.label_config, self.services()).fit(event, parsed))
        except AnnotuneError as error:
            log.warning("%s was not handled: %s", event, error)
            return {"action": event, "queued": False, "message": str(error)}
