"""A plan for a batch of predictions: which model is asked what, about which tasks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from annotune.chat import Image
from annotune.errors import NotFound
from annotune.ids import ALL
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import PredictionRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.models import ModelRef
from annotune.options import Options
from annotune.prompt import PlaceholderCheck, Prompt
from annotune.question import Question
from annotune.serving import ServingResolver, resolve_model
from curation.context import CurationContext


@dataclass(frozen=True)
class Plan:
    """A model, a prompt and tasks of a project, as they were when the plan was made.

    `model_version` is what Label Studio shows with the predictions. `ids` are the ids of the tasks, and `found` counts the
    tasks that have one. `only_missing` leaves out tasks that have any prediction, not only those of `model_version`.
    """

    project: int
    title: str
    labeling: Labeling
    ref: ModelRef
    prompt: Prompt
    options: Options
    model_version: str
    ids: Sequence[range]
    only_missing: bool
    found: int

    @property
    def calls(self) -> int:
        """Calls of the model for each task, if the first answer fits."""
        return self.options.num_responses if self.labeling.free_text else 1

    def image_addresses(self, data: Mapping[str, object]) -> tuple[str, ...]:
        """The addresses of the images that a task with this data shows.

        Raises:
            RequestInvalid: the data lacks one.
        """
        return tuple(item.address(data) for item in self.labeling.objects if item.is_image)

    def question(self, data: Mapping[str, object], images: tuple[Image, ...] = ()) -> Question:
        """What the model is asked about a task with this data."""
        return Question(self.labeling, self.prompt, data, images)

    def tasks(
        self, label_studio: LabelStudioClient, placeholders: PlaceholderCheck, on_skip: Callable[[], object]
    ) -> Iterator[TaskRow]:
        """The tasks to ask about. A page is read when it is reached.

        Args:
            label_studio: where the tasks are.
            placeholders: sees the data of each task that is returned.
            on_skip: called for each task that already has a prediction.
        """
        for task in label_studio.tasks.by_id(self.project, self.ids):
            if self.has_prediction(task.predictions):
                on_skip()
            else:
                placeholders.add(task.data)
                yield task

    def has_prediction(self, predictions: Sequence[PredictionRow]) -> bool:
        """Whether a task with these predictions is left out. Label Studio's own batch compares the version too."""
        if self.only_missing:
            return bool(predictions)
        return any(prediction.model_version == self.model_version for prediction in predictions)


def make_plan(
    context: CurationContext, project: int, *, model: str | None, ids: Sequence[range] | None, only_missing: bool
) -> Plan:
    """Plan predictions by the project's model and prompt, as the backend would ask now.

    Args:
        context: settings, Redis and Label Studio.
        project: its id in Label Studio.
        model: another model than the live one, such as `ollama:llama3` or `v0003`.
        ids: of the tasks; None for all tasks.
        only_missing: leave out tasks that have any prediction.

    Raises:
        NotFound: there is no such project, task or version.
        RequestInvalid: `model` names no model.
        LabelStudioError: reading the project's tasks makes Label Studio fetch predictions.
        LabelingInvalid: the labeling config cannot be served.
        PromptMissing: the project has no prompt.
    """
    row = context.project(project)
    labeling = context.labeling(row.label_config, project)
    serving = ServingResolver(context.settings, context.store).resolve(project)
    prompt = serving.required_prompt(project)
    found = context.label_studio.tasks.count(project, ALL if ids is None else ids)
    if not found:
        raise NotFound(f"project {project} has {'no tasks yet: import some' if ids is None else 'none of these tasks'}")
    if model:
        serving = serving.with_model(resolve_model(context.store, project, model))
    return Plan(
        project=project,
        title=row.title,
        labeling=labeling,
        ref=serving.ref,
        prompt=prompt,
        options=serving.options,
        model_version=serving.model_version,
        ids=ALL if ids is None else ids,
        only_missing=only_missing,
        found=found,
    )
