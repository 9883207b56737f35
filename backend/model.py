"""The model of one project, in the shape of label-studio-ml's `LabelStudioMLBase`: `predict` and `fit`."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from annotune.errors import AnnotuneError, LabelingInvalid, PromptMissing, StoreUnavailable
from annotune.labeling import Labeling
from annotune.parallel import Deadline, each
from annotune.prediction import Prediction, Region, Unanswered
from annotune.prompt import Prompt
from annotune.question import Options, Question, Reply
from annotune.record import answers_given, prefilled
from annotune.regions import region_text
from backend.lessons import Acknowledged, take_event
from backend.live import Serving, model_version
from backend.requests import Context, Event, Task
from backend.services import Services

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

    def set_up(self) -> str:
        """The model version that Label Studio is told; it asks often, so that no model is called here.

        Raises:
            LabelingInvalid: the labeling config cannot be served.
            StoreUnavailable: Redis is away, and this process does not know the project.
        """
        log.debug("project %d: the model fills %s", self.project, [control.name for control in self.labeling.controls])
        with suppress(StoreUnavailable):  # what is known of the project still holds
            self.services.store.remember_project(self.project)
        return self.services.live.serving(self.project).model_version

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
        serving = self.services.live.serving(self.project)
        deadline = Deadline.after(self.services.settings.model_deadline_s)
        with self.services.answers.admitted():
            if context is None:
                predictions = self._batch(serving, deadline, tasks)
            else:
                predictions = [self._react(serving, deadline, context.result, task) for task in tasks]
        mode = "batch" if context is None else "interactive"
        seconds = time.monotonic() - began
        log.info("project %d: %s, %d tasks, %s, %.2f s", self.project, mode, len(tasks), serving.ref, seconds)
        return predictions

    def fit(self, event: str, data: Event, **_kwargs: Any) -> Acknowledged:
        """Note what an event tells; the learning itself is the worker's.

        Raises:
            StoreUnavailable: a training was asked for while Redis is away.
        """
        return take_event(self.services, self.project, event, data)

    def _batch(self, serving: Serving, deadline: Deadline, tasks: Sequence[Task]) -> list[Prediction | Unanswered]:
        """The predictions of a batch, or of a task that is opened. Raises the first error where none was made."""
        prompt = serving.prompt
        if prompt is None:
            raise PromptMissing(
                f"project {self.project} has no prompt: submit an annotation with one in its prompt control,"
                " give it one by 'annotune prompts set', or set DEFAULT_PROMPT"
            )
        calls = [partial(self._prepare, serving, prompt, deadline, task) for task in tasks]
        made = each(calls, self.services.settings.calls_per_worker, deadline)
        failed = [outcome for outcome in made if isinstance(outcome, AnnotuneError)]
        if failed and len(failed) == len(made):
            raise failed[0]
        for reason, times in Counter(str(error) for error in failed).items():
            log.warning("project %d: %d of %d tasks unanswered: %s", self.project, times, len(tasks), reason)
        return [Unanswered(str(outcome)) if isinstance(outcome, AnnotuneError) else outcome for outcome in made]

    def _prepare(self, serving: Serving, prompt: Prompt, deadline: Deadline, task: Task) -> Prediction:
        question = Question(self.labeling, prompt, task.data)
        ask = partial(self._ask, serving, question, deadline, task, typed=False)
        key = (self.project, task.id, serving.ref, prompt.sha, question.messages)
        reply = self.services.answers.ask_once(key, ask, deadline)
        return prefilled(self.labeling, prompt, reply, model_version(serving.ref.model, prompt))

    def _react(self, serving: Serving, deadline: Deadline, screen: Sequence[Region], task: Task) -> Prediction:
        """What changes on an annotator's screen: nothing, unless a prompt was asked."""
        text = _text(screen, self.labeling.prompt_control)
        if text is None:
            return Prediction((), serving.model_version)
        prompt = self.services.live.prompt(text)
        if self._is_correction(prompt, screen, task):
            return Prediction((), model_version(serving.ref.model, prompt))
        question = Question(self.labeling, prompt, task.data)
        reply = self._ask(serving, question, deadline, task, typed=True)
        return self._prediction(serving, prompt, reply.regions, reply.score)

    def _is_correction(self, prompt: Prompt, screen: Sequence[Region], task: Task) -> bool:
        """Did a person write over an answer to this very prompt?

        Label Studio sends the same request when a person edits an answer whose control is smart as when one asks again:
        only a text that we did not give tells them apart.
        """
        response = self.labeling.answer(screen)
        if self.labeling.protects_edits or response is None:
            return False
        stored = [
            (_text(regions, self.labeling.prompt_control), self.labeling.answer(regions))
            for regions in task.predictions
        ]
        away = None
        try:
            given = self.services.answer_log.given(self.project, task.id)
        except StoreUnavailable as error:
            given, away = self.services.answer_log.waiting(self.project, task.id), error
        said = {answer.text for answer in given} | {text.strip() for _, text in stored if text}
        if response.strip() in said:
            return False
        if any(answer.prompt_sha == prompt.sha for answer in given) or any(asked == prompt.text for asked, _ in stored):
            return True
        if away:  # it may have been answered before: rather no answer than a person's words lost
            raise away
        return False

    def _ask(self, serving: Serving, question: Question, deadline: Deadline, task: Task, *, typed: bool) -> Reply:
        options = Options.of(self.services.settings)
        reply = self.services.answers.ask(question, serving.ref, options, deadline, urgent=typed)
        told = model_version(serving.ref.model, question.prompt)
        self.services.answer_log.add(answers_given(self.project, task.id, question.prompt, reply, told, typed=typed))
        return reply

    def _prediction(
        self, serving: Serving, prompt: Prompt, regions: Iterable[Region], score: float | None
    ) -> Prediction:
        told = model_version(serving.ref.model, prompt)
        return self.labeling.check(Prediction(tuple(regions), told, score))


def _text(regions: Sequence[Region], control: str | None) -> str | None:
    return region_text(regions, control) if control else None
