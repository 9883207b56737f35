"""Label Studio projects made from what we ship: a labeling config by name, tasks in one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from label_studio_sdk import LabelStudio

from annotune.errors import LabelStudioError, NotFound

LABELING = Path(__file__).resolve().parent.parent / "prompts" / "labeling"


@dataclass(frozen=True)
class NewProject:
    """A project's id, and its tasks' ids in the order in which their data was given."""

    id: int
    tasks: tuple[int, ...]


def labeling_config(name: str) -> str:
    """A labeling config of `prompts/labeling/`, by its name there.

    Raises:
        NotFound: there is none of that name.
    """
    known = {path.stem: path for path in sorted(LABELING.glob("*.xml"))}
    if name not in known:
        raise NotFound(f"no labeling config {name!r}: choose one of {list(known)}")
    return known[name].read_text(encoding="utf-8")


def create_project(client: LabelStudio, *, title: str, config: str, data: Sequence[Mapping[str, object]]) -> NewProject:
    """A new project with a task for each item of `data`.

    Raises:
        LabelStudioError: Label Studio took other than all of them.
    """
    project = client.projects.create(title=title, label_config=config)
    request = [dict(item) for item in data]
    reply = client.projects.import_tasks(id=project.id, request=request, return_task_ids=True)
    tasks = tuple(reply.task_ids or ())
    if len(tasks) != len(request):
        raise LabelStudioError(f"Label Studio took {len(tasks)} of {len(request)} tasks into project {project.id}")
    return NewProject(id=project.id, tasks=tasks)
