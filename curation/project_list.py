"""The projects of Label Studio, and what Annotune knows of each."""

from dataclasses import dataclass

from annotune.label_studio.rows import ProjectRow
from annotune.labeling.config import Labeling
from annotune.project_options import ProjectOptions
from annotune.serving import ServingResolver
from curation.connection import TITLE
from curation.context import CurationContext


@dataclass(frozen=True)
class ListedProject:
    """A project. `tasks` and `annotated` count its tasks. `model` answers it, and is empty if it is not connected."""

    number: int
    title: str
    options: ProjectOptions
    tasks: int
    annotated: int
    is_connected: bool
    model: str


def list_projects(context: CurationContext) -> list[ListedProject]:
    """All projects that the key may see in Label Studio, by number.

    Raises:
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        StoreUnavailable: Redis does not answer.
    """
    resolver = ServingResolver(context.settings, context.store)
    return [_listed(context, resolver, row) for row in context.label_studio.projects.all()]


def _listed(context: CurationContext, resolver: ServingResolver, row: ProjectRow) -> ListedProject:
    backends = context.label_studio.backends.of_project(row.id)
    ours = any(TITLE in {backend.title, backend.description} for backend in backends)
    return ListedProject(
        number=row.id,
        title=row.title,
        options=context.store.options.get(row.id),
        tasks=row.task_number,
        annotated=row.num_tasks_with_annotations,
        is_connected=ours,
        model=str(resolver.resolve(row.id).ref) if ours else "",
    )


def set_fills(context: CurationContext, project: int, names: tuple[str, ...]) -> ProjectOptions:
    """Say which controls the model fills in a project; none: people alone fill it.

    Raises:
        NotFound: there is no such project.
        LabelingInvalid: a model cannot fill one of these controls, or the config does not have it.
    """
    config = context.label_studio.projects.get(project).label_config
    if names:
        Labeling.from_settings(config, context.settings, names)
    options = context.store.options.get(project).model_copy(update={"fills": names})
    context.store.options.set(project, options)
    context.save_copy(project)
    return options
