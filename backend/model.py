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
    """Made for one request. `label_config` is None if an event has none."""

    project: int
    label_config: str | None
    services: Services

    @cached_property
    def labeling(self) -> Labeling:
        """The parsed labeling config.

        Raises:
            LabelingInvalid: there is no config, or it cannot be served.
        """
        if self.label_config is None:
            raise LabelingInvalid("no labeling config was sent: send the field 'label_config'")
        resolved = self._resolved
        # Without Redis nothing is filled: the labeling then only shows the error.
        fills = resolved.fills if isinstance(resolved, Serving) else None
        return self.services.labeling(self.label_config, fills)

    @cached_property
    def _resolved(self) -> Serving | AnnotuneError:
        """What answers the project, read once for the whole request, or why that is not known."""
        try:
            return self.services.serving.resolve(self.project)
        except AnnotuneError as error:
            return error

    def _serving(self) -> Serving:
        """What answers the project.

        Raises:
            StoreUnavailable: Redis is away, and this process has not read the project yet.
            StoreEmptied, RecordUnreadable: as `ServingResolver.resolve`.
        """
        if isinstance(self._resolved, Serving):
            return self._resolved
        raise self._resolved

    def set_up(self, extra_params: Mapping[str, Any] | None = None) -> str:
        """Store the connection's parameters, and return the model version.

        Label Studio asks often, so no model is called here.

        Raises:
            LabelingInvalid: the labeling config cannot be served.
            RequestInvalid: a parameter of the connection is wrong.
            StoreUnavailable: Redis is away, and this process has not read the project yet.
        """
        log.debug("project %d: the model fills %s", self.project, [control.name for control in self.labeling.controls])
        serving, store = self.services.serving, self.services.store
        parameters = ExtraParams.parse(extra_params, self.services.settings, serving.default.ref)
        with suppress(StoreUnavailable):  # what this process has read of the project still counts
            store.projects.remember(self.project)
            if parameters != store.extra_params.get(self.project):
                store.extra_params.set(self.project, parameters)
                self.services.jobs.changed(self.project)
        return serving.resolve(self.project).model_version

    def predict(
        self, tasks: Sequence[Task], context: Context | None = None, **_kwargs: Any
    ) -> list[Prediction | Unanswered]:
        """One prediction for each task, in order.

        Without a context, Label Studio stores the predictions. Each has the project's prompt and the answer to it. A task
        without an answer gets an error, since an empty prediction would be stored as an answer.

        With a context, a person is working in the editor. The prompt in the editor is asked; without one, nothing is.

        Raises:
            RequestInvalid: the labeling config, all tasks or the prompt cannot be used.
            ModelServerError: the model server answered none of the tasks.
            StoreUnavailable: Redis is away, and this process has not read the project yet.
        """
        began = time.monotonic()
        deadline = Deadline.after(self.services.settings.model_deadline_s)
        if context is None:
            return self._predict_batch(tasks, deadline, began)
        return self._answer_person(tasks, EditorState(self.labeling, context.result), deadline, began)

    def fit(self, event: str, data: Event, **_kwargs: Any) -> Acknowledged:
        """Handle an event. The worker does the training.

        Raises:
            StoreUnavailable: the event asks for a training, and Redis is away.
        """
        return handle_event(self.services, self.project, event, data)

    # A batch, or a task that is opened

    def _predict_batch(self, tasks: Sequence[Task], deadline: Deadline, began: float) -> list[Prediction | Unanswered]:
        """Predictions to store. Raises the first error if no task was answered."""
        record = partial(self.services.batches.record, self.project, len(tasks), began=began)
        errors: list[AnnotuneError] = []
        try:
            serving = self._serving()
            with self.services.model_calls.slot():
                outcomes = self._predict_tasks(tasks, serving, deadline)
            errors = [outcome for outcome in outcomes if isinstance(outcome, AnnotuneError)]
            if errors and len(errors) == len(outcomes):
                raise errors[0]
        except AnnotuneError as error:
            record(errors or [error] * len(tasks))
            raise
        record(errors)
        return [Unanswered(str(outcome)) if isinstance(outcome, AnnotuneError) else outcome for outcome in outcomes]

    def _predict_tasks(
        self, tasks: Sequence[Task], serving: Serving, deadline: Deadline
    ) -> list[Prediction | AnnotuneError]:
        """A prediction or an error for each task. Raises PromptMissing."""
        prompt = serving.required_prompt(self.project)
        calls = [partial(self._predict_task, task, serving, prompt) for task in tasks]
        outcomes = map_within_deadline(calls, self.services.settings.calls_per_worker, deadline)
        self._warn_of_unknown_placeholders(tasks, prompt)
        return outcomes

    def _predict_task(self, task: Task, serving: Serving, prompt: Prompt, deadline: Deadline) -> Prediction:
        reply = self._ask(task, serving, prompt, deadline)
        return build_prediction(self.labeling, prompt, reply, serving.model_version)

    def _warn_of_unknown_placeholders(self, tasks: Sequence[Task], prompt: Prompt) -> None:
        """Log once for a whole batch which placeholders name nothing."""
        check = PlaceholderCheck(prompt.text)
        for task in tasks:
            check.add(task.data)
        if check.warning:
            log.warning("project %d: %s", self.project, check.warning)

    # A person in the editor

    def _answer_person(
        self, tasks: Sequence[Task], editor: EditorState, deadline: Deadline, began: float
    ) -> list[Prediction | Unanswered]:
        """What changes in the editor: nothing if it has no prompt."""
        try:
            serving = self._serving()
        except AnnotuneError as error:
            if editor.prompt is None or self.labeling.status_control is None:
                raise
            return [self._show_error(error, editor, task, model_version="") for task in tasks]
        predictions: list[Prediction | Unanswered]
        if editor.prompt is None:
            predictions = [Prediction((), serving.model_version) for _ in tasks]
        else:
            serving = serving.with_prompt(editor.prompt)
            prompt = serving.required_prompt(self.project)
            predictions = [self._answer_task(task, editor, serving, prompt, deadline) for task in tasks]
        seconds = time.monotonic() - began
        log.info("project %d: interactive, %d tasks, %s, %.2f s", self.project, len(tasks), serving.ref, seconds)
        return predictions

    def _answer_task(
        self, task: Task, editor: EditorState, serving: Serving, prompt: Prompt, deadline: Deadline
    ) -> Prediction:
        """The answer to the prompt in the editor, or the reason why there is none."""
        try:
            if self._is_only_an_edit(task, editor, prompt):
                return Prediction((), serving.model_version)
            regions, score = self._answer_regions(task, editor, serving, prompt, deadline)
        except Exception as error:
            if self.labeling.status_control is None:
                raise
            return self._show_error(error, editor, task, serving.model_version)
        return self.labeling.check(Prediction(tuple(in_page_order(regions)), serving.model_version, score))

    def _is_only_an_edit(self, task: Task, editor: EditorState, prompt: Prompt) -> bool:
        """Whether a person changed an answer and asked nothing.

        Label Studio sends the same request when a person changes an answer in a smart control as when a person asks. So a
        prompt that was answered before, beside an edited control, is not asked again.

        Raises:
            EditUnknown: answers may be missing from the log.
        """
        if not editor.edited_controls or self.labeling.protects_edits:
            return False
        control = self.labeling.prompt_control
        if any(region_text(regions, control) == prompt.text for regions in task.predictions):
            return True
        return self.services.answer_log.was_asked(self.project, task.id, prompt.sha)

    def _answer_regions(
        self, task: Task, editor: EditorState, serving: Serving, prompt: Prompt, deadline: Deadline
    ) -> tuple[list[Region], float | None]:
        """The regions of the answer to the prompt in the editor, and its score. Edited controls get none."""
        if not editor.fillable_controls:
            log.info("project %d: task %d: a person has set all controls: no model is asked", self.project, task.id)
            return statuses.status_regions(self.labeling, editor, statuses.edited_sentences(editor)), None
        with self.services.model_calls.slot():
            earlier = self._earlier_spans(task, editor)
            reply = self._ask(task, serving, prompt, deadline, prompt_region_id=editor.prompt_region_id)
        selected = editor.select(reply.regions)
        regions = without_spans(self.labeling, selected, earlier)
        sentences = statuses.reply_sentences(
            editor,
            cut=reply.cut,
            unknown=describe_unknown(unknown_placeholders(prompt.text, task.data), task.data),
            repeated=len(selected) - len(regions),
        )
        typed_prompt = editor.prompt_as_typed if span_controls(self.labeling) else []
        return [*typed_prompt, *regions, *statuses.status_regions(self.labeling, editor, sentences)], reply.score

    def _earlier_spans(self, task: Task, editor: EditorState) -> frozenset[SpanKey]:
        """The spans that are in the editor, or were deleted there. Those that the log lacks may be given again."""
        if not span_controls(self.labeling):
            return frozenset()
        answers = [] if editor.prompt_is_predicted else self.services.answer_log.read_available(self.project, task.id)
        return earlier_spans(self.labeling, editor.prompt_region_id, answers, task.predictions)

    def _show_error(self, error: Exception, editor: EditorState, task: Task, model_version: str) -> Prediction:
        """The error in the status control, since Label Studio shows annotators none."""
        shown = error if isinstance(error, AnnotuneError) else log_unexpected(error)
        log.warning("project %d: task %d: %s: %s", self.project, task.id, type(error).__name__, shown)
        regions = statuses.status_regions(self.labeling, editor, [statuses.error_sentence(shown, editor)])
        return self.labeling.check(Prediction(tuple(regions), model_version))

    # Both

    def _ask(
        self,
        task: Task,
        serving: Serving,
        prompt: Prompt,
        deadline: Deadline,
        *,
        prompt_region_id: str | None = None,
    ) -> Reply:
        """The model's reply, which is logged.

        `prompt_region_id` names the region in which a person typed the prompt; such a call goes before those of batches.
        """
        question = Question(self.labeling, prompt, task.data, self._fetch_images(task, deadline))
        urgent = prompt_region_id is not None

        def ask() -> Reply:
            reply = self.services.model_calls.ask(question, serving.ref, serving.options, deadline, urgent=urgent)
            self.services.answer_log.add(
                answers_given(self.project, task.id, prompt, reply, serving.model_version, place=prompt_region_id)
            )
            return reply

        key = (self.project, task.id, serving.ref, serving.options, question.sha, prompt_region_id)
        return self.services.model_calls.ask_once(key, ask, deadline, cache=not urgent)

    def _fetch_images(self, task: Task, deadline: Deadline) -> tuple[Image, ...]:
        addresses = [item.address(task.data) for item in self.labeling.objects if item.is_image]
        return tuple(self.services.images.fetch(address, deadline) for address in addresses)
