"""What `annotune predict` asks, of which model, about which tasks: settled when it begins."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

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
from curation.context import Context


@dataclass(frozen=True)
class Plan:
    """A model, a prompt, and the tasks of a project that are asked about. `found` counts the tasks of these ids."""

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

    @classmethod
    def of(
        cls,
        context: Context,
        project: int,
        *,
        model: str | None,
        ids: Sequence[range] | None,
        only_missing: bool,
    ) -> Self:
        """As the backend would ask now, or another model.

        Raises:
            NotFound: there is no such project, no such task in it, or no such version.
            LabelStudioError: reading the project's tasks would make Label Studio fetch predictions itself.
            LabelingInvalid: the labeling config cannot be served.
            PromptMissing: the project has no prompt.
        """
        row = context.project(project)
        labeling = context.labeling(row.label_config)
        serving = ServingResolver(context.settings, context.store).resolve(project)
        prompt = serving.required_prompt(project)
        found = context.label_studio.tasks.count(project, ids or ALL)
        if not found:
            raise NotFound(f"project {project} has {'none of these tasks' if ids else 'no tasks yet: import some'}")
        if model:
            serving = serving.with_model(resolve_model(context.store, project, model))
        return cls(
            project=project,
            title=row.title,
            labeling=labeling,
            ref=serving.ref,
            prompt=prompt,
            options=serving.options,
            model_version=serving.model_version,
            ids=ids or ALL,
            only_missing=only_missing,
            found=found,
        )

    @property
    def calls(self) -> int:
        """How often the model is asked about a task, where its answer fits at once."""
        return self.options.num_responses if self.labeling.free_text else 1

    def image_addresses(self, data: Mapping[str, object]) -> tuple[str, ...]:
        """The addresses of the pictures that a task with this data shows. Raises RequestInvalid where one is missing."""
        return tuple(item.address(data) for item in self.labeling.objects if item.is_image)

    def question(self, data: Mapping[str, object], images: tuple[Image, ...] = ()) -> Question:
        """What is asked about a task with this data."""
        return Question(self.labeling, self.prompt, data, images)

    def tasks(
        self, studio: LabelStudioClient, skipped: Callable[[], object], doubts: PlaceholderCheck
    ) -> Iterator[TaskRow]:
        """The tasks that are asked about, page by page, which `doubts` sees; `skipped` is called for each that is not."""
        for task in studio.tasks.by_id(self.project, self.ids):
            if self.has_one(task.predictions):
                skipped()
            else:
                doubts.see(task.data)
                yield task

    def has_one(self, predictions: Sequence[PredictionRow]) -> bool:
        """Is a task's prediction among these already? Of this very version, as Label Studio's own batch asks."""
        if self.only_missing:
            return bool(predictions)
        return any(prediction.model_version == self.model_version for prediction in predictions)
