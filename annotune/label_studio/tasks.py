"""Tasks of Label Studio, with their annotations and predictions, in pages.

They come from the data manager's list, which has annotations and predictions with their regions. An export lacks the
predictions' regions and leaves a snapshot behind in Label Studio each time (1.23.2).
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx
from label_studio_sdk.core import ApiError

from annotune.ids import ALL, ranges_after
from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import ListedTask, TaskRow, TouchedTask, read_listed, read_task, read_touched

PAGE_TASKS = 200
LISTED_TASKS = 1000
# Ids go to Label Studio in the address, and web servers take about 4000 characters of it.
RANGES = 12
_log = logging.getLogger(__name__)
# A cancelled annotation is a skip. Label Studio does not count it among a task's annotations.
_ANNOTATED = json.dumps(
    {
        "filters": {
            "conjunction": "or",
            "items": [
                {"filter": f"filter:tasks:{count}", "operator": "greater", "type": "Number", "value": 0}
                for count in ("total_annotations", "cancelled_annotations")
            ],
        }
    }
)


Read = TypeVar("Read", TaskRow, ListedTask, TouchedTask)


@dataclass(frozen=True)
class _View(Generic[Read]):
    """The fields that Label Studio is asked for, how a task of them is read, and how many tasks a page has.

    Without `all_parts` it reads neither annotations nor predictions nor drafts, whatever the fields, and takes a fifth of
    the time (1.23.2).
    """

    fields: str
    read: Callable[[object], Read | None]
    all_parts: bool = True
    page_tasks: int = PAGE_TASKS


# Of an annotation too it gives only what is named (1.23.2); predictions come whole.
_OF_ANNOTATIONS = "result,was_cancelled,ground_truth,created_at,updated_at,completed_by,parent_prediction"
WHOLE = _View(f"id,data,annotations,predictions,{_OF_ANNOTATIONS}", read_task)
PREDICTED = _View("id,predictions", read_task)
TOUCHED = _View("id,total_annotations,cancelled_annotations,draft_exists,predictions", read_touched)
LISTED = _View("id,data", read_listed, all_parts=False, page_tasks=LISTED_TASKS)
ONE = _View("id,data", read_listed, all_parts=False, page_tasks=1)


class Tasks:
    """All methods raise as `LabelStudioConnection.call` does."""

    def __init__(self, connection: LabelStudioConnection) -> None:
        self._connection = connection

    def annotated(self, project: int) -> Iterator[TaskRow]:
        """All tasks of a project that somebody annotated or skipped, page by page; each once."""
        seen: set[int] = set()
        page, total = 1, 1
        while (page - 1) * PAGE_TASKS < total:
            tasks, total = self._page(project, page, _ANNOTATED, WHOLE)
            yield from (task for task in tasks if task.id not in seen)
            seen |= {task.id for task in tasks}
            page += 1

    def by_id(self, project: int, ids: Sequence[range] = ALL) -> Iterator[TaskRow]:
        """The tasks of a project with these ids, in their order, annotated or not. A page is read when it is reached.

        Each page starts behind the last id of the page before, so a task that is deleted meanwhile hides no other.
        """
        return self._by_id(project, ids, WHOLE)

    def predicted(self, project: int, ids: Sequence[range]) -> Iterator[TaskRow]:
        """As `by_id`, but only the predictions of the tasks are read: their data and annotations are empty."""
        return self._by_id(project, ids, PREDICTED)

    def listed(self, project: int, ids: Sequence[range] = ALL) -> Iterator[ListedTask]:
        """As `by_id`, but only the data of the tasks is read, in large pages: 10,000 tasks take a few seconds."""
        return self._by_id(project, ids, LISTED)

    def touched(self, project: int, ids: Sequence[range]) -> Iterator[TouchedTask]:
        """As `by_id`, but what is read is whether a person began with the tasks, and which predictions they have."""
        return self._by_id(project, ids, TOUCHED)

    def count(self, project: int, ids: Sequence[range] = ALL) -> int:
        """How many tasks of a project have these ids."""
        parts = [ids[start : start + RANGES] for start in range(0, len(ids), RANGES)]
        return sum(self._page(project, 1, _with_ids(part), ONE)[1] for part in parts)

    def update_data(self, task: int, data: Mapping[str, object]) -> None:
        """Give a task other data. Its annotations and predictions stay."""
        with self._connection.call(f"task {task}") as sdk:
            sdk.tasks.update(str(task), data=dict(data), request_options=self._connection.retrying)

    def _by_id(self, project: int, ids: Sequence[range], view: _View[Read]) -> Iterator[Read]:
        for start in range(0, len(ids), RANGES):
            left = tuple(ids[start : start + RANGES])
            while left:
                tasks, total = self._page(project, 1, _with_ids(left), view)
                yield from tasks
                left = ranges_after(left, tasks[-1].id) if len(tasks) < total and tasks else ()

    def _page(self, project: int, page: int, query: str, view: _View[Read]) -> tuple[list[Read], int]:
        """The tasks of one page, and how many there are on all pages."""
        with self._connection.call(f"project {project}") as sdk:
            try:
                found = self._connection.read_json(
                    sdk,
                    "api/tasks/",
                    project=project,
                    fields="all" if view.all_parts else None,
                    include=view.fields,
                    resolve_uri=None if view.all_parts else False,  # the data as it was imported
                    query=query,
                    page=page,
                    page_size=view.page_tasks,
                )
            except ApiError as error:
                if page > 1 and error.status_code == httpx.codes.NOT_FOUND:  # deleted since the page before
                    return [], 0
                raise
            total, rows = found.get("total"), found.get("tasks")
            if not isinstance(total, int) or not isinstance(rows, list):
                raise ValueError("the list has no total or no tasks")  # noqa: TRY004 - mapped by the connection
        tasks = [task for task in map(view.read, rows) if task]
        if len(tasks) < len(rows):
            _log.warning("project %d: %d tasks have no id, and are left out", project, len(rows) - len(tasks))
        return tasks, total


def _with_ids(ids: Sequence[range]) -> str:
    """The data manager's query for tasks of these ids, the smallest first."""
    items = [
        {
            "filter": "filter:tasks:id",
            "operator": "in",
            "type": "Number",
            "value": {"min": part.start, "max": part.stop - 1},
        }
        for part in ids
    ]
    return json.dumps({"filters": {"conjunction": "or", "items": items}, "ordering": ["tasks:id"]})
