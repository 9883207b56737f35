"""Label Studio projects made from what we ship: a labeling config by name, tasks in one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from label_studio_sdk import ImportApiRequest, LabelStudio

from annotune.errors import LabelStudioError, NotFound
from annotune.shipped import shipped

LABELING = shipped("labeling")


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
        LabelStudioError: Label Studio made no project, or took other than all of the tasks.
    """
    project = client.projects.create(title=title, label_config=config)
    if project.id is None:
        raise LabelStudioError(f"Label Studio made no project {title!r}")
    request = [ImportApiRequest(data=dict(item)) for item in data]
    reply = client.projects.import_tasks(id=project.id, request=request, return_task_ids=True)
    # Only the community edition answers with the ids; the SDK (2.1.2) has no field for them.
    tasks = tuple(int(task) for task in (reply.model_extra or {}).get("task_ids", ()))
    if len(tasks) != len(request):
        raise LabelStudioError(f"Label Studio took {len(tasks)} of {len(request)} tasks into project {project.id}")
    return NewProject(id=project.id, tasks=tasks)
