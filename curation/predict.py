"""Predictions made side by side, each pushed to Label Studio at once, so that an interruption loses none."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    ConfigurationError,
    InUse,
    KeyRefused,
    LabelStudioError,
    LabelStudioUnreachable,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    RequestInvalid,
)
from annotune.images import ImageFetcher
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import TaskRow
from annotune.log import unexpected
from annotune.parallel import run_bounded
from annotune.prompt import PlaceholderCheck
from annotune.reply import answers_given, build_prediction
from annotune.servers.base import ModelServer
from annotune.store.store import Store
from curation.plan import Plan

# What one task meets, all that follow would meet.
ENDS_ASKING = (ModelServerUnreachable, KeyRefused, ConfigurationError, NotFound)
log = logging.getLogger(__name__)


@dataclass
class BatchCounts:
    """What came of the tasks; `failed` holds task ids by reason, `kinds` the class of the error of each reason.

    `doubts` are about the placeholders of the prompt.
    """

    pushed: int = 0
    skipped: int = 0
    cut: int = 0
    failed: dict[str, list[int]] = field(default_factory=dict)
    doubts: PlaceholderCheck = field(default_factory=lambda: PlaceholderCheck(""))
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        return sum(map(len, self.failed.values()))

    @property
    def most_frequent(self) -> tuple[str, str]:
        """The class and the sentence of the most frequent reason; both empty where nothing failed."""
        reason = max(self.failed, key=lambda each: len(self.failed[each]), default="")
        return self.kinds.get(reason, ""), reason

    @property
    def done(self) -> int:
        """Tasks that are done with."""
        return self.pushed + self.skipped + self.failures


class Push:
    """One run. It counts in `tally`; `heard` is told of each task that is done with, by one thread at a time.

    `lost` becomes true when another process may be at the same project, so that this one must stop. `kept_s` is how long
    answers are kept.
    """

    def __init__(
        self,
        plan: Plan,
        server: ModelServer,
        studio: LabelStudioClient,
        store: Store,
        *,
        pictures: ImageFetcher,
        tally: BatchCounts,
        heard: Callable[[BatchCounts], object],
        lost: Callable[[], bool],
        kept_s: int,
    ) -> None:
        self._plan = plan
        self._pictures = pictures
        self._tally = tally
        self._server = server
        self._studio = studio
        self._store = store
        self._heard = heard
        self._lost = lost
        self._kept_s = kept_s
        self._lock = threading.Lock()

    def run(self, limit: int, deadline_s: float) -> None:
        """Ask about all tasks of the plan, `limit` at a time, each within `deadline_s`.

        Raises:
            AnnotuneError: what no other task would be spared; what was pushed until then stays.
        """
        tasks: Iterable[TaskRow] = self._plan.tasks(self._studio, self._skipped, self._tally.doubts)
        run_bounded(tasks, lambda task: self._predict(task, Deadline.after(deadline_s)), limit)

    def _predict(self, task: TaskRow, deadline: Deadline) -> None:
        plan = self._plan
        try:
            images = tuple(self._pictures.fetch(address, deadline) for address in plan.image_addresses(task.data))
            question = plan.question(task.data, images)
            reply = question.ask(self._server, plan.ref, plan.options, deadline, urgent=False, calls=plan.calls)
            prediction = build_prediction(plan.labeling, plan.prompt, reply, plan.model_version)
        except ENDS_ASKING:
            raise
        except (RequestInvalid, ModelServerError) as error:
            self._failed(task, error)
            return
        except AnnotuneError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault that one odd task brings out costs no other its answer
            self._failed(task, unexpected(error))
            return
        answers = answers_given(plan.project, task.id, plan.prompt, reply, plan.model_version)
        try:
            if self._has_one_by_now(task):
                self._skipped()
                return
            # The log first: an answer that is stored and not logged would later pass for a person's own words.
            self._store.answers.add(answers, kept_s=self._kept_s)
            self._studio.predictions.create(task.id, prediction)
        except LabelStudioUnreachable:
            raise
        except (LabelStudioError, NotFound) as error:
            self._failed(task, error)
            return
        with self._lock:
            self._tally.pushed += 1
            self._tally.cut += reply.cut
            self._heard(self._tally)

    def _has_one_by_now(self, task: TaskRow) -> bool:
        """Asked just before the push: Label Studio's own batch, or another tool, may have been at it."""
        if self._lost():
            raise InUse(
                f"project {self._plan.project}: while Redis was away another process began to predict it, so this one"
                " stops; what was pushed stays"
            )
        return self._plan.has_one(self._studio.predictions.of_task(task.id))

    def _failed(self, task: TaskRow, error: AnnotuneError) -> None:
        log.debug("task %d: %s", task.id, error)
        with self._lock:
            self._tally.failed.setdefault(str(error), []).append(task.id)
            self._tally.kinds[str(error)] = type(error).__name__
            self._heard(self._tally)

    def _skipped(self) -> None:
        with self._lock:
            self._tally.skipped += 1
            self._heard(self._tally)
