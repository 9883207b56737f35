"""Predictions for many tasks. They are pushed to Label Studio as they are made, so that an interruption loses few."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    ConfigurationError,
    InUse,
    KeyRefused,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    RequestInvalid,
    StoreUnavailable,
)
from annotune.images import ImageFetcher
from annotune.label_studio.rows import TaskRow
from annotune.lease import LEASE_TIMING, lease
from annotune.log import log_unexpected
from annotune.parallel import run_bounded
from annotune.prompt import PlaceholderCheck
from annotune.reply import Reply, answers_given, build_prediction
from annotune.servers.base import ModelServer
from annotune.servers.pool import Servers
from annotune.store.reports import Batch
from curation.context import CurationContext
from curation.plan import Plan
from curation.push_queue import Answered, PredictionPush, PushQueue, PushReport

# Every task would meet these errors, so the first one ends the batch.
ENDS_BATCH = (ModelServerUnreachable, KeyRefused, ConfigurationError, NotFound)
LEASE = "predict"
log = logging.getLogger(__name__)


@dataclass
class BatchCounts:
    """Counts of a batch, in tasks. They rise while the batch runs.

    `cut` counts answers that ended at the token limit. `failed` holds task ids by reason, and `kinds` the class of the error
    behind each reason. `placeholders` has seen the tasks that were asked about.
    """

    pushed: int = 0
    skipped: int = 0
    cut: int = 0
    failed: dict[str, list[int]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    placeholders: PlaceholderCheck = field(default_factory=lambda: PlaceholderCheck(""))

    @property
    def failures(self) -> int:
        return sum(map(len, self.failed.values()))

    @property
    def done(self) -> int:
        """Tasks that were pushed, skipped or failed."""
        return self.pushed + self.skipped + self.failures

    @property
    def most_frequent_failure(self) -> tuple[str, str]:
        """Class and reason of the most frequent failure. Both are empty if nothing failed."""
        reason = max(self.failed, key=lambda reason: len(self.failed[reason]), default="")
        return self.kinds.get(reason, ""), reason


OnProgress = Callable[[BatchCounts], object]


def _ignore(_counts: BatchCounts) -> None:
    pass


class BatchPrediction:
    """One batch. `counts` can be read at any time, also after an error."""

    def __init__(
        self, context: CurationContext, plan: Plan, servers: Servers, *, lease_lost: Callable[[], bool]
    ) -> None:
        """`lease_lost` becomes true when another process may predict the project, so that this one has to stop."""
        self.counts = BatchCounts(placeholders=PlaceholderCheck(plan.prompt.text))
        self._context = context
        self._settings = context.settings
        self._plan = plan
        self._servers = servers
        self._label_studio = context.label_studio
        report = PushReport(self._pushed, self._skip, self._fail)
        self._queue = PushQueue(PredictionPush(context, plan, report, lease_lost=lease_lost).push)
        self._images = ImageFetcher(context.settings)
        self._lock = threading.Lock()
        self._on_progress: OnProgress = _ignore

    def run(self, on_progress: OnProgress | None = None) -> BatchCounts:
        """Ask about all tasks of the plan, `MODEL_CONCURRENCY` at a time, each within `MODEL_DEADLINE_S`.

        Ctrl-C lets the calls under way end and pushes their answers. The next run skips what was pushed.

        Args:
            on_progress: called with the counts after each task, by one thread at a time.

        Raises:
            AnnotuneError: an error that every task would meet. What was pushed stays.
            InUse: another process began to predict the project while Redis was away.
        """
        self._on_progress = on_progress or self._on_progress
        settings, ended_by = self._settings, None
        tasks = self._plan.tasks(self._label_studio, self.counts.placeholders, self._skip)
        try:
            server = self._servers.get(self._plan.ref.server)

            def predict(task: TaskRow) -> None:
                self._predict(task, server, Deadline.after(settings.model_deadline_s))

            run_bounded(tasks, predict, settings.model_concurrency)
        except AnnotuneError as error:
            ended_by = error
            raise
        finally:
            self._save_outcome(ended_by)
        return self.counts

    def _predict(self, task: TaskRow, server: ModelServer, deadline: Deadline) -> None:
        plan = self._plan
        try:
            reply = self._ask(task, server, deadline)
            prediction = build_prediction(plan.labeling, plan.prompt, reply, plan.model_version)
        except ENDS_BATCH:
            raise
        except (RequestInvalid, ModelServerError) as error:
            self._fail(task.id, error)
            return
        except AnnotuneError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault in one task costs no other its answer
            self._fail(task.id, log_unexpected(error))
            return
        answers = answers_given(plan.project, task.id, plan.prompt, reply, plan.model_version)
        self._queue.put(Answered(task.id, prediction, answers, reply.cut))

    def _ask(self, task: TaskRow, server: ModelServer, deadline: Deadline) -> Reply:
        plan = self._plan
        images = tuple(self._images.fetch(address, deadline) for address in plan.image_addresses(task.data))
        question = plan.question(task.data, images)
        return question.ask(server, plan.ref, plan.options, deadline, urgent=False, calls=plan.calls)

    def _pushed(self, answered: Answered) -> None:
        with self._lock:
            self.counts.pushed += 1
            self.counts.cut += answered.cut
            self._on_progress(self.counts)

    def _fail(self, task: int, error: AnnotuneError) -> None:
        log.debug("task %d: %s", task, error)
        with self._lock:
            self.counts.failed.setdefault(str(error), []).append(task)
            self.counts.kinds[str(error)] = type(error).__name__
            self._on_progress(self.counts)

    def _skip(self) -> None:
        with self._lock:
            self.counts.skipped += 1
            self._on_progress(self.counts)

    def _save_outcome(self, ended_by: AnnotuneError | None) -> None:
        """Save how the batch ended, for `annotune status`. A batch that asked about no task is not saved."""
        counts, plan = self.counts, self._plan
        asked = plan.found - counts.skipped
        if not asked:
            return
        kind, reason = (type(ended_by).__name__, str(ended_by)) if ended_by else counts.most_frequent_failure
        if not reason and counts.pushed < asked:
            kind, reason = "Stopped", "the run was interrupted"
        batch = Batch(
            at=datetime.now(UTC), project=plan.project, tasks=asked, answered=counts.pushed, kind=kind, reason=reason
        )
        with suppress(StoreUnavailable):
            self._context.store.reports.save_batch(batch)


@contextmanager
def open_batch(context: CurationContext, plan: Plan) -> Iterator[BatchPrediction]:
    """A batch that holds its project: no other process can predict the project at the same time.

    Raises:
        InUse: another process predicts the project.
        StoreUnavailable: Redis does not answer.
    """
    # This process makes all calls, so the limit is not divided among web workers.
    settings = context.settings.model_copy(update={"workers": 1})
    with closing(Servers(settings)) as servers, lease(context.patient_store, plan.project, LEASE) as held:
        if not held.taken:
            raise InUse(
                f"project {plan.project} is being predicted by {held.holder}: wait for its end (a run that was killed"
                f" frees the project within {LEASE_TIMING.ttl_s:.0f} s)"
            )
        yield BatchPrediction(context, plan, servers, lease_lost=held.lost)
