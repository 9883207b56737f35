"""Tasks that are made from other tasks: what is there, what is missing, what has changed since, and the changes made.

The state is in the tasks' own data (see lineage.py). Nothing is ever deleted but predictions that were made for other data.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from annotune.errors import LabelStudioError, RequestInvalid
from annotune.ids import ranges_of
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import ListedTask, ProjectRow
from annotune.labeling.xml import config_root
from curation.lineage import SOURCE_ANNOTATION, Lineage
from curation.patience import Check

BATCH_TASKS = 200
FIELDS_SHOWN = 10

Concern = Literal["changed", "gone", "deleted", "doubled"]
"""Why a person has to look at a task.

changed: what it was made from was corrected after somebody began with it. gone: what it was made from is in its source no
more. deleted: the annotation that it was made from was deleted, or counts no more. doubled: the correction of what it was
made from asks what another task asks.
"""


@dataclass(frozen=True)
class Concerned:
    """A task that a person has to look at; its address in Label Studio; `now`: what its source says now, if anything."""

    task: int
    concern: Concern
    address: str
    source_task: int | None
    now: str = ""


@dataclass(frozen=True)
class Renewal:
    """New data for a task. `is_content`: what people and models read of it changed, so its predictions are stale."""

    task: int
    data: Mapping[str, object]
    source_task: int
    now: str
    is_content: bool


@dataclass
class MoveCounts:
    """What was done: ids of the tasks that were made and updated, how many are there unchanged, those for a person."""

    moved: list[int] = field(default_factory=list)
    updated: list[int] = field(default_factory=list)
    there: int = 0
    concerned: list[Concerned] = field(default_factory=list)

    @property
    def changed_nothing(self) -> bool:
        return not (self.moved or self.updated)


def made_from(tasks: Iterable[ListedTask], project: int) -> dict[int, list[ListedTask]]:
    """The tasks that were made from a project's tasks, by the task that they were made from."""
    found: defaultdict[int, list[ListedTask]] = defaultdict(list)
    for task in tasks:
        lineage = Lineage.of(task.data)
        if lineage.project == project and lineage.task is not None:
            found[lineage.task].append(task)
    return dict(found)


def renewal(task: ListedTask, data: Mapping[str, object], now: str, *, beside: Collection[str] = ()) -> Renewal | None:
    """The change that gives a task this data; None if it has it. The fields `beside` are not its content."""
    changed = {name for name, value in data.items() if name not in task.data or task.data[name] != value}
    if not changed:
        return None
    source_task = Lineage.of(data).task or 0
    return Renewal(
        task.id, task.data | dict(data), source_task, now, is_content=bool(changed - {SOURCE_ANNOTATION, *beside})
    )


def shown_fields(project: ProjectRow) -> tuple[str, ...]:
    """The fields that a project's labeling config shows: Label Studio takes no task without them."""
    values = (tag.get("value", "") for tag in config_root(project.label_config).iter())
    return tuple(dict.fromkeys(value.removeprefix("$") for value in values if value.startswith("$")))


def completed(data: Mapping[str, object], origin: Mapping[str, object], target: ProjectRow) -> dict[str, object]:
    """Data for a task of a project, with the other fields that it shows from the task that it is made from.

    Raises:
        RequestInvalid: that task lacks one.
    """
    needed = [name for name in shown_fields(target) if name not in data]
    if missing := [name for name in needed if name not in origin]:
        raise RequestInvalid(
            f"project {target.id} shows {_named(missing)}, which the tasks that it would be filled from lack; they have"
            f" {_named(sorted(origin))}: choose another project, or take the field out of its labeling config"
        )
    return {name: origin[name] for name in needed} | dict(data)


@dataclass
class TaskMover:
    """Makes and updates the tasks of a project. Without `check`, which is called before each change, nothing changes."""

    studio: LabelStudioClient
    project: int
    counts: MoveCounts
    check: Check | None

    def make(self, data: Sequence[Mapping[str, object]]) -> None:
        """Make a task of each item of `data`, in their order."""
        for batch in _batches(data):
            if self.check is None:
                self.counts.moved += [0] * len(batch)
                continue
            self.check()
            made = self.studio.projects.import_tasks(self.project, batch)
            self.counts.moved += made
            if len(made) != len(batch):
                raise LabelStudioError(
                    f"Label Studio took {len(made)} of {len(batch)} tasks into project {self.project}"
                )

    def renew(self, renewals: Sequence[Renewal]) -> None:
        """Give tasks new data, if nobody began with them. Otherwise a changed content is for a person."""
        for batch in _batches(renewals):
            ids = ranges_of([each.task for each in batch])
            touched = {task.id: task for task in self.studio.tasks.touched(self.project, ids)}
            for each in batch:
                found = touched.get(each.task)
                if found is None:  # deleted meanwhile
                    continue
                if found.touched:
                    self._leave(each)
                    continue
                if self.check is not None:
                    self.check()
                    # Stale predictions go first: data that has changed already would tell the next run of no change.
                    for prediction in found.predictions if each.is_content else ():
                        self.studio.predictions.delete(prediction)
                    self.studio.tasks.update_data(each.task, each.data)
                self.counts.updated.append(each.task)

    def list_for_person(self, task: int, concern: Concern, source_task: int | None, now: str = "") -> None:
        """List a task for a person."""
        address = f"{self.studio.url}/projects/{self.project}/data?task={task}"
        self.counts.concerned.append(Concerned(task, concern, address, source_task, now))

    def _leave(self, each: Renewal) -> None:
        if each.is_content:
            self.list_for_person(each.task, "changed", each.source_task, each.now)
        else:
            self.counts.there += 1


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + BATCH_TASKS] for start in range(0, len(items), BATCH_TASKS))


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - FIELDS_SHOWN} more" if len(names) > FIELDS_SHOWN else ""
    return f"{', '.join(map(repr, names[:FIELDS_SHOWN]))}{more}" if names else "none"
