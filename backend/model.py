"""The model of one project, in the shape of label-studio-ml's `LabelStudioMLBase`: `predict` and `fit`."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from annotune.chat import Image
from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, LabelingInvalid, StoreUnavailable
from annotune.extra_params import ExtraParams
from annotune.labeling.config import Labeling, in_page_order
from annotune.labeling.prediction import Prediction, Region, Unanswered
from annotune.labeling.regions import region_text
from annotune.log import log_unexpected
from annotune.parallel import map_within_deadline
from annotune.prompt import PlaceholderCheck, Prompt, describe_unknown, unknown_placeholders
from annotune.question import Question
from annotune.reply import Reply, answers_given, build_prediction
from annotune.serving import Serving
from backend import statuses
from backend.editor import EditorState
from backend.given_spans import SpanKey, earlier_spans, span_controls, without_spans
from backend.requests import Context, Event, Task
from backend.services import Services
from backend.webhooks import Acknowledged, handle_event

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """Made for one request. `label_config` is None where an event did not tell it."""

    project: int
    label_config: str | None
    services: Services

    @cached_property
    def labeling(self) -> Labeling:
        """Raises LabelingInvalid where the config cannot be served."""
        if self.label_config is None:
            raise LabelingInvalid("no labeling config was sent: send the field 'label_config'")
        return self.services.labeling(self.label_config)

    def set_up(self, extra_params: Mapping[str, Any] | None = None) -> str:
        """The model version that Label Studio is told; it asks often, so that no model is called here.

        Raises:
            LabelingInvalid: the labeling config cannot be served.
            RequestInvalid: a parameter of the connection is wrong.
            StoreUnavailable: Redis is away, and this process does not know the project.
        """
        log.debug("project %d: the model fills %s", self.project, [control.name for control in self.labeling.controls])
        live, store = self.services.serving, self.services.store
        parameters = ExtraParams.parse(extra_params, self.services.settings, live.default.ref)
        with suppress(StoreUnavailable):  # what is known of the project still holds
            store.projects.remember(self.project)
            if parameters != store.extra_params.get(self.project):
                store.extra_params.set(self.project, parameters)
                self.services.jobs.changed(self.project)
        return live.resolve(self.project).model_version

    def predict(
        self,
        tasks: Sequence[Task],
        context: Context | None = None,
        **_kwargs: Any,
    ) -> list[Prediction | Unanswered]:
        """One prediction per task, in order.

        Without a context Label Studio fetches predictions to keep: each carries the project's prompt and the answer, and a
        task that could not be answered is told apart, since an empty prediction would be stored and stand for an answer.
        With a context a person is at work: the prompt on the screen is asked, and where there is none, nothing is.

        Raises:
            RequestInvalid: the labeling config, all tasks or the prompt cannot be used.
            ModelServerError: the model server answered none of the tasks.
            StoreUnavailable: Redis is away, and this process does not know what it has to.
        """
        began = time.monotonic()
        deadline = Deadline.after(self.services.settings.model_deadline_s)
        if context is None:
            return self._batch(deadline, tasks, began)
        editor = EditorState(self.labeling, context.result)
        try:
            serving = self.services.serving.resolve(self.project)
        except AnnotuneError as error:
            if editor.prompt is None or self.labeling.status_control is None:
                raise
            return [self._refuse(error, editor, task, "") for task in tasks]
        predictions: list[Prediction | Unanswered] = [self._react(serving, deadline, editor, task) for task in tasks]
        seconds = time.monotonic() - began
        log.info("project %d: interactive, %d tasks, %s, %.2f s", self.project, len(tasks), serving.ref, seconds)
        return predictions

    def fit(self, event: str, data: Event, **_kwargs: Any) -> Acknowledged:
        """Note what an event tells; the learning itself is the worker's.

        Raises:
            StoreUnavailable: a training was asked for while Redis is away.
        """
        return handle_event(self.services, self.project, event, data)

    def _batch(self, deadline: Deadline, tasks: Sequence[Task], began: float) -> list[Prediction | Unanswered]:
        """The predictions of a batch, or of a task that is opened. Raises the first error where none was made."""
        note = partial(self.services.batches.record, self.project, len(tasks), began=began)
        failed: list[AnnotuneError] = []
        try:
            serving = self.services.serving.resolve(self.project)
            with self.services.model_calls.slot():
                made = self._each(serving, deadline, tasks)
            failed = [outcome for outcome in made if isinstance(outcome, AnnotuneError)]
            if failed and len(failed) == len(made):
                raise failed[0]
        except AnnotuneError as error:
            note(failed or [error] * len(tasks))
            raise
        note(failed)
        return [Unanswered(str(outcome)) if isinstance(outcome, AnnotuneError) else outcome for outcome in made]

    def _each(self, serving: Serving, deadline: Deadline, tasks: Sequence[Task]) -> list[Prediction | AnnotuneError]:
        """What came of each task. Raises PromptMissing."""
        prompt = serving.required_prompt(self.project)
        calls = [partial(self._prepare, serving, task) for task in tasks]
        made = map_within_deadline(calls, self.services.settings.calls_per_worker, deadline)
        self._tell_unknown(prompt, tasks)
        return made

    def _tell_unknown(self, prompt: Prompt, tasks: Sequence[Task]) -> None:
        """Log the placeholders that name nothing in a batch, once for all its tasks."""
        doubts = PlaceholderCheck(prompt.text)
        for task in tasks:
            doubts.add(task.data)
        if doubts.warning:
            log.warning("project %d: %s", self.project, doubts.warning)

    def _prepare(self, serving: Serving, task: Task, deadline: Deadline) -> Prediction:
        reply = self._ask(serving, deadline, task)
        return build_prediction(self.labeling, serving.required_prompt(self.project), reply, serving.model_version)

    def _react(self, serving: Serving, deadline: Deadline, editor: EditorState, task: Task) -> Prediction:
        """What changes on an annotator's screen: nothing, unless a prompt was asked."""
        if editor.prompt is None:
            return Prediction((), serving.model_version)
        serving = serving.with_prompt(editor.prompt)
        try:
            prompt = serving.required_prompt(self.project)
            if editor.edited_controls and not self.labeling.protects_edits and self._was_asked(prompt, task):
                return Prediction((), serving.model_version)  # a person changed an answer
            regions, score = self._respond(serving, deadline, editor, task)
        except Exception as error:
            if self.labeling.status_control is None:
                raise
            return self._refuse(error, editor, task, serving.model_version)
        return self.labeling.check(Prediction(tuple(in_page_order(regions)), serving.model_version, score))

    def _respond(
        self, serving: Serving, deadline: Deadline, editor: EditorState, task: Task
    ) -> tuple[list[Region], float | None]:
        """The regions that the prompt on the screen brings, and the score; what a person wrote or set stays."""
        if not editor.fillable_controls:
            log.info(
                "project %d: task %d: a person set all that the model fills: it is not asked", self.project, task.id
            )
            return statuses.status_regions(self.labeling, editor, statuses.edited_sentences(editor)), None
        with self.services.model_calls.slot():
            before = self._given_before(editor, task)
            reply = self._ask(serving, deadline, task, place=editor.prompt_region_id)
        regions = editor.select(reply.regions)
        new = without_spans(self.labeling, regions, before)
        unknown_told = describe_unknown(unknown_placeholders(editor.prompt or "", task.data), task.data)
        sentences = statuses.reply_sentences(
            editor, cut=reply.cut, unknown=unknown_told, repeated=len(regions) - len(new)
        )
        taken_over = editor.prompt_as_typed if span_controls(self.labeling) else []
        return [*taken_over, *new, *statuses.status_regions(self.labeling, editor, sentences)], reply.score

    def _given_before(self, editor: EditorState, task: Task) -> frozenset[SpanKey]:
        """The spans that are on the screen, or were deleted there; what the log lacks while Redis is away is given again."""
        if not span_controls(self.labeling):
            return frozenset()
        answers = [] if editor.prompt_is_predicted else self.services.answer_log.read_available(self.project, task.id)
        return earlier_spans(self.labeling, editor.prompt_region_id, answers, task.predictions)

    def _refuse(self, error: Exception, editor: EditorState, task: Task, told: str) -> Prediction:
        """What tells an annotator why nothing came, since Label Studio shows none an error."""
        known = error if isinstance(error, AnnotuneError) else log_unexpected(error)
        log.warning("project %d: task %d: %s: %s", self.project, task.id, type(error).__name__, known)
        regions = statuses.status_regions(self.labeling, editor, [statuses.error_sentence(known, editor)])
        return self.labeling.check(Prediction(tuple(regions), told))

    def _was_asked(self, prompt: Prompt, task: Task) -> bool:
        """Was this very prompt answered before? Then the request is no question.

        Label Studio sends the same request when a person changes an answer whose control is smart as when one asks. Raises
        EditUnknown where nobody can know.
        """
        control = self.labeling.prompt_control
        stored = any(region_text(regions, control) == prompt.text for regions in task.predictions)
        return stored or self.services.answer_log.was_asked(self.project, task.id, prompt.sha)

    def _ask(self, serving: Serving, deadline: Deadline, task: Task, *, place: str | None = None) -> Reply:
        """The reply to a prompt. `place`: the region on the screen in which a person wrote it."""
        prompt = serving.required_prompt(self.project)
        question = Question(self.labeling, prompt, task.data, self._images(task, deadline))
        urgent = place is not None

        def ask() -> Reply:
            reply = self.services.model_calls.ask(question, serving.ref, serving.options, deadline, urgent=urgent)
            answers = answers_given(self.project, task.id, prompt, reply, serving.model_version, place=place)
            self.services.answer_log.add(answers)
            return reply

        key = (self.project, task.id, serving.ref, serving.options, question.sha, place)
        return self.services.model_calls.ask_once(key, ask, deadline, cache=not urgent)

    def _images(self, task: Task, deadline: Deadline) -> tuple[Image, ...]:
        addresses = [item.address(task.data) for item in self.labeling.objects if item.is_image]
        return tuple(self.services.images.fetch(address, deadline) for address in addresses)
