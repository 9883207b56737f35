"""New projects in Label Studio, with a labeling config and tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotune.errors import LabelStudioError
from annotune.label_studio.client import LabelStudioClient


@dataclass(frozen=True)
class NewProject:
    """A project's id, and the ids of its tasks in the order of their data."""

    id: int
    tasks: tuple[int, ...]


def create_project(
    client: LabelStudioClient, *, title: str, config: str, data: Sequence[Mapping[str, object]]
) -> NewProject:
    """A new project with a task for each item of `data`.

    Raises:
        LabelStudioError, Unauthorized: Label Studio made no project, or did not take all of the tasks.
    """
    project = client.projects.create(title, config)
    tasks = client.projects.import_tasks(project, data)
    if len(tasks) != len(data):
        raise LabelStudioError(f"Label Studio took {len(tasks)} of {len(data)} tasks into project {project}")
    return NewProject(id=project, tasks=tasks)
