"""The examples of a project as they are now, read from Label Studio."""

from collections.abc import Sequence

from annotune.split import SplitAssignment
from curation.context import CurationContext
from curation.examples import ExampleSet, collect_examples


def project_examples(context: CurationContext, project: int) -> ExampleSet:
    """What a training of the project would learn from now, and what would be held out. Nothing is stored.

    Raises:
        NotFound: there is no such project.
        LabelingInvalid: the labeling config cannot be served.
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        StoreUnavailable: Redis does not answer.
    """
    settings, store = context.settings, context.store
    labeling = context.labeling(context.label_studio.projects.get(project).label_config)
    tasks = list(context.label_studio.tasks.annotated(project))

    def split(texts: Sequence[str]) -> SplitAssignment:
        return store.splits.preview(project, texts, settings.min_examples)

    answers = store.answers.by_task(project, [task.id for task in tasks])
    system = store.prompts.system(project)
    return collect_examples(project, tasks, labeling, settings, answers, split=split, system=system)
