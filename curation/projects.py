"""New projects in Label Studio, with a shipped labeling config and tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotune.errors import LabelStudioError, NotFound
from annotune.label_studio.client import LabelStudioClient
from annotune.shipped import shipped

LABELING = shipped("labeling")


@dataclass(frozen=True)
class NewProject:
    """A project's id, and the ids of its tasks in the order of their data."""

    id: int
    tasks: tuple[int, ...]


def labeling_config(name: str) -> str:
    """A labeling config of `prompts/labeling/`, by its name.

    Raises:
        NotFound: no config has that name.
    """
    known = {path.stem: path for path in sorted(LABELING.glob("*.xml"))}
    if name not in known:
        raise NotFound(f"no labeling config {name!r}: choose one of {list(known)}")
    return known[name].read_text(encoding="utf-8")


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
