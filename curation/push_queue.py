"""Predictions that several threads make, pushed to Label Studio together.

The first thread to come pushes, and what others bring meanwhile goes with its next push. So a slow model's predictions go at
once, one by one, and a fast model's many in one request. Nothing waits, and if the process dies, what came during one push
is lost.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from annotune.answer import Answer
from annotune.errors import AnnotuneError, InUse, LabelStudioError, LabelStudioUnreachable, NotFound
from annotune.ids import ranges_of
from annotune.labeling.prediction import Prediction
from curation.context import CurationContext
from curation.plan import Plan

BATCH_TASKS = 200
# Label Studio (1.23.2) counts all predictions of a project anew after each request with many: 1.2 s for 10,000 tasks, which
# is as long as several requests with one take. Smaller batches go singly.
FEWEST_TOGETHER = 16


@dataclass(frozen=True)
class Answered:
    """A task's prediction and the entries of the log that go with it. `cut`: it ended at the token limit."""

    task: int
    prediction: Prediction
    answers: Sequence[Answer]
    cut: bool


@dataclass(frozen=True)
class PushReport:
    """What is called for each task, when it was pushed, when it had a prediction already, and when it failed."""

    pushed: Callable[[Answered], object]
    skipped: Callable[[], object]
    failed: Callable[[int, AnnotuneError], object]


class PushQueue:
    """Takes predictions from threads. `put` raises what the push raises that the thread does for all."""

    def __init__(self, push: Callable[[Sequence[Answered]], object], limit: int = BATCH_TASKS) -> None:
        """`push` gets up to `limit` predictions. Threads that bring more wait for it."""
        self._push = push
        self._limit = limit
        self._waiting: list[Answered] = []
        self._pushing = False
        self._changed = threading.Condition()

    def put(self, answered: Answered) -> None:
        """Push a prediction, or leave it to the thread that is pushing."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pushing or len(self._waiting) < self._limit)
            self._waiting.append(answered)
            if self._pushing:
                return
            self._pushing = True
        try:
            for batch in self._batches():
                self._push(batch)
        except BaseException:
            self._stop()
            raise

    def _batches(self) -> Iterator[Sequence[Answered]]:
        while True:
            with self._changed:
                batch, self._waiting = self._waiting, []
                if not batch:
                    self._pushing = False
                self._changed.notify_all()
            if not batch:
                return
            yield batch

    def _stop(self) -> None:
        with self._changed:
            self._pushing = False
            self._changed.notify_all()


class PredictionPush:
    """Pushes predictions of a plan, and logs what they answer. An error of one prediction costs no other."""

    def __init__(
        self, context: CurationContext, plan: Plan, report: PushReport, *, lease_lost: Callable[[], bool]
    ) -> None:
        self._studio = context.label_studio
        self._answers = context.patient_store.answers
        self._kept_s = context.settings.answers_kept_s
        self._plan = plan
        self._report = report
        self._lease_lost = lease_lost
        # Where Label Studio stores many, it leaves out what the SDK cannot validate.
        self._together = all(control.known_to_sdk for control in plan.labeling.controls)

    def push(self, batch: Sequence[Answered]) -> None:
        """Push a batch; the report tells what came of each task.

        Raises:
            InUse: another process may predict the project.
            LabelStudioUnreachable, Unauthorized, StoreUnavailable: what every other push would meet.
        """
        if self._lease_lost():
            raise InUse(
                f"project {self._plan.project}: while Redis was away another process began to predict it, so this one"
                " stops; what was pushed stays"
            )
        left = self._without_prediction(batch, lambda _: self._report.skipped())
        if not left:
            return
        # The log comes first: an answer that is stored but not logged would count as a person's own words.
        self._answers.add([answer for each in left for answer in each.answers], kept_s=self._kept_s)
        if self._together and len(left) >= FEWEST_TOGETHER:
            left = self._push_together(left)
        for each in left:
            self._push_one(each)

    def _without_prediction(self, batch: Sequence[Answered], on_other: Callable[[Answered], object]) -> list[Answered]:
        """Those whose task has no prediction now: Label Studio's own batch or another tool may have made one meanwhile.

        `on_other` is called for the others.
        """
        ids = ranges_of([each.task for each in batch])
        try:
            stored = {task.id: task.predictions for task in self._studio.tasks.predicted(self._plan.project, ids)}
        except LabelStudioUnreachable:
            raise
        except (LabelStudioError, NotFound) as error:
            self._fail_all(batch, error)
            return []
        left = []
        for each in batch:
            if each.task not in stored:
                self._report.failed(each.task, NotFound("the task was deleted while it was asked about"))
            elif self._plan.has_prediction(stored[each.task]):
                on_other(each)
            else:
                left.append(each)
        return left

    def _push_together(self, batch: Sequence[Answered]) -> list[Answered]:
        """Push a batch in one request; what is left to push singly."""
        try:
            stored = self._studio.predictions.create_many(
                self._plan.project, {each.task: each.prediction for each in batch}
            )
        except LabelStudioUnreachable:
            raise
        except (LabelStudioError, NotFound) as error:  # it may have stored them all, so none is tried again
            self._fail_all(batch, error)
            return []
        if stored != len(batch):
            return self._without_prediction(batch, self._report.pushed)
        for each in batch:
            self._report.pushed(each)
        return []

    def _push_one(self, each: Answered) -> None:
        try:
            self._studio.predictions.create(each.task, each.prediction)
        except LabelStudioUnreachable:
            raise
        except (LabelStudioError, NotFound) as error:
            self._report.failed(each.task, error)
        else:
            self._report.pushed(each)

    def _fail_all(self, batch: Sequence[Answered], error: AnnotuneError) -> None:
        for each in batch:
            self._report.failed(each.task, error)
