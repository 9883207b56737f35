"""What Label Studio has of a project now, and the examples that follow from it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from annotune.label_studio.rows import ProjectRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.split import SplitAssignment
from curation.collect import ExampleRules
from curation.examples import AnswersOf, ExampleSet, collect_examples
from trainer.context import TrainerContext
from trainer.mark import assign_splits


@dataclass(frozen=True)
class Snapshot:
    """A project, its annotated tasks, the rules by which they become examples, and the answers that Redis keeps of them."""

    project: ProjectRow
    tasks: list[TaskRow]
    rules: ExampleRules
    answers_of: AnswersOf

    @property
    def labeling(self) -> Labeling:
        return self.rules.maker.labeling


def read_snapshot(context: TrainerContext, project: int) -> Snapshot:
    """Read a project.

    Raises:
        ConfigurationError: LABEL_STUDIO_URL or LABEL_STUDIO_API_KEY is not set.
        LabelingInvalid: the labeling config cannot be served.
        NotFound, Unauthorized, LabelStudioError: as the methods of LabelStudioClient.
        StoreUnavailable, RecordUnreadable: the answers cannot be read.
    """
    with closing(context.studio()) as studio:
        row = studio.projects.get(project)
        rules = ExampleRules.read(studio, context.store, context.settings, row)
        tasks = list(studio.tasks.annotated(project))
    return Snapshot(row, tasks, rules, context.store.answers.by_task(project, [task.id for task in tasks]))


def examples_of(context: TrainerContext, snapshot: Snapshot) -> ExampleSet:
    """The examples of a snapshot. The split of texts that have none yet is decided now.

    Raises:
        StoreUnavailable, RecordUnreadable: the split cannot be read or recorded.
    """
    store, settings, project = context.store, context.settings, snapshot.project.id

    def split(texts: Sequence[str], groups: Sequence[str]) -> SplitAssignment:
        return assign_splits(store, settings.runs_dir, project, texts, settings.min_examples, groups)

    return collect_examples(
        snapshot.tasks,
        snapshot.rules.maker,
        answers_for=lambda _: snapshot.answers_of,
        split=split,
        policy=snapshot.rules.policy,
    )


def current_examples(context: TrainerContext, project: int) -> ExampleSet:
    """The examples of what Label Studio has now. Raises as `read_snapshot` and `examples_of`."""
    return examples_of(context, read_snapshot(context, project))
