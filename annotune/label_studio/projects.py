"""Projects of Label Studio."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_studio_sdk import ImportApiRequest
from label_studio_sdk.core.pagination import SyncPager

from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import ProjectRow

PAGE_PROJECTS = 100


class Projects:
    """All methods raise as `LabelStudioConnection.call` does."""

    def __init__(self, connection: LabelStudioConnection) -> None:
        self._connection = connection

    def get(self, project: int) -> ProjectRow:
        """One project, with its labeling config."""
        with self._connection.call(f"project {project}") as sdk:
            found = sdk.projects.get(id=project, request_options=self._connection.retrying)
            return ProjectRow.model_validate(found.dict())

    def all(self) -> list[ProjectRow]:
        """All projects that the key may see, by number."""
        found: dict[int, ProjectRow] = {}
        page, pages = 1, 1
        while page <= pages:
            with self._connection.call("the projects") as sdk:
                pager: SyncPager[Any, Any] = sdk.projects.list(
                    page=page, page_size=PAGE_PROJECTS, ordering="id", request_options=self._connection.retrying
                )
                rows = [ProjectRow.model_validate(row.dict()) for row in pager.items or []]
                pages = -(-int(pager.response.count if pager.response else 0) // PAGE_PROJECTS)
            found |= {row.id: row for row in rows}
            page += 1
        return [found[number] for number in sorted(found)]

    def create(self, title: str, config: str, description: str = "") -> int:
        """Make a project without tasks; its id."""
        with self._connection.call("project") as sdk:
            made = sdk.projects.create(title=title, label_config=config, description=description)
            if made.id is None:
                raise ValueError("the project has no id")
            return made.id

    def import_tasks(self, project: int, data: Sequence[Mapping[str, object]]) -> tuple[int, ...]:
        """Make a task of each item of `data`, in one request; the ids in the order of `data`."""
        with self._connection.call(f"project {project}") as sdk:
            request = [ImportApiRequest(data=dict(item)) for item in data]
            reply = sdk.projects.import_tasks(id=project, request=request, return_task_ids=True)
            # Only the community edition answers with the ids; the SDK (2.1.2) has no field for them.
            return tuple(int(task) for task in (reply.model_extra or {}).get("task_ids", ()))

    def import_whole(self, project: int, tasks: Sequence[Mapping[str, object]]) -> int:
        """Make tasks with their `data`, `annotations` and `predictions`, in one request that takes all or none; how many.

        Label Studio (1.23.2) takes an annotation for ground truth unless it says that it is none.

        Raises:
            LabelStudioRefused: one of the tasks cannot be one of this project; the message says which and why.
        """
        with self._connection.call(f"project {project}") as sdk:
            reply = sdk.projects.import_tasks(id=project, request=[dict(task) for task in tasks])  # type: ignore[misc]
            return int(reply.task_count or 0)

    def show_predictions_of(self, project: int, model_version: str) -> None:
        """Let a project show the predictions of a backend, by its title, or of a version."""
        with self._connection.call(f"project {project}") as sdk:
            sdk.projects.update(project, model_version=model_version)

    def save_unchanged(self, project: int) -> None:
        """Give a project the title that it has: Label Studio then sends PROJECT_UPDATED to its webhooks."""
        title = self.get(project).title
        with self._connection.call(f"project {project}") as sdk:
            sdk.projects.update(project, title=title)
