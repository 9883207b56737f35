"""Examples to learn from, collected from a project's annotations; an uncertain one is left out and counted."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from annotune.answer import Answer
from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.log import log_unexpected
from annotune.split import SplitAssignment, text_sha
from curation.annotation import ExampleMaker, Reason, Revision
from curation.example import Example
from curation.lineage import Lineage
from curation.policy import LeftOut, Policy

MAX_TASKS_LISTED = 10
PAGE_TASKS = 200

AnswersOf = Callable[[int], Sequence[Answer]]
"""The answers that the backend gave for a task, by its id, oldest first."""
AnswersFor = Callable[[Sequence[int]], AnswersOf]
"""Reads the answers for some tasks at once, by their ids, such as `AnswerStore.by_task` of a project."""
AssignSplits = Callable[[Sequence[str], Sequence[str]], SplitAssignment]
"""Assigns texts to the splits: their shas, and the shas of their groups in the same order (see `assign_splits`)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskOutcome:
    """What comes of one task's annotations.

    `left_out` holds each annotation that is not the example's. `text_sha` is the sha of the labelled text, empty if the task
    lacks a field; `group_sha` of what decides the task's side: its source text, else that text's id, else the labelled text.
    `updated_at` is when what the example comes from was last changed. `is_odd`: see `TaskRow`.
    """

    task: int
    example: Example | None
    text_sha: str
    group_sha: str
    left_out: tuple[LeftOut, ...]
    updated_at: datetime | None
    is_odd: bool = False

    @property
    def has_wrong_reference(self) -> bool:
        """Whether the task's reference was marked as wrong, and so nothing is learnt from it."""
        return self.example is None and any(each.reason == "wrong reference" for each in self.left_out)


@dataclass(frozen=True)
class ExampleSet:
    """The examples to train on and those that are held out, and what was left out.

    `left_out` counts annotations by reason (see `Reason`), and `left_out_ids` names them: without those whose id cannot be
    read. `newest` is when the newest example's annotation was changed. `lacks` says what a training lacks, as in
    `SplitAssignment`. `wrong_references` are the shas of labelled texts whose reference was marked as wrong. `groups` has
    the group of each example's text, by their shas (see `TaskOutcome`).
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    left_out: dict[str, int]
    newest: datetime | None
    lacks: str = ""
    left_out_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    wrong_references: frozenset[str] = frozenset()
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.train, *self.held_out)

    @property
    def contents(self) -> dict[int, str]:
        """The content of each example (`Origin.content`), by the annotation's id."""
        return {example.origin.annotation: example.origin.content for example in self.examples}

    @property
    def annotations(self) -> frozenset[int]:
        """Ids of the annotations that became examples."""
        return frozenset(self.contents)

    @property
    def kinds(self) -> dict[str, int]:
        """How many were typed, accepted, corrected."""
        return dict(Counter(example.origin.kind for example in self.examples))


def task_outcomes(
    tasks: Iterable[TaskRow], maker: ExampleMaker, policy: Policy, answers_for: AnswersFor
) -> Iterator[TaskOutcome]:
    """What comes of each task, one after the other. A task that fails costs no other its example.

    Nothing is kept of a task that was yielded: a project of any size is read in the memory of `PAGE_TASKS` tasks.

    Args:
        tasks: as `LabelStudioClient` gives them.
        maker: makes the examples.
        policy: decides which annotation of a task counts.
        answers_for: reads the answers that the backend gave.

    Raises:
        StoreUnavailable, RecordUnreadable: the answers cannot be read.
    """
    left = iter(tasks)
    while page := list(islice(left, PAGE_TASKS)):
        answers_of = answers_for([task.id for task in page])
        for task in page:
            yield _outcome(task, maker, policy, answers_of)


def collect_examples(
    tasks: Iterable[TaskRow],
    maker: ExampleMaker,
    *,
    answers_for: AnswersFor,
    split: AssignSplits,
    policy: Policy | None = None,
) -> ExampleSet:
    """Collect the examples of a project's tasks: at most one for each task.

    Args:
        tasks: as `LabelStudioClient` gives them.
        maker: makes the examples.
        answers_for: reads the answers that the backend gave.
        split: called once for all examples. An unassigned text counts as one to train on.
        policy: decides which annotation of a task counts; None: no reviewers, no experts.

    Raises:
        StoreUnavailable, RecordUnreadable: as `task_outcomes`, and as `split` raises.
    """
    made: list[tuple[str, str, Example]] = []
    left_out: Counter[str] = Counter()
    ids: dict[str, list[int]] = defaultdict(list)
    wrong: set[str] = set()
    newest: datetime | None = None
    odd: list[int] = []
    for outcome in task_outcomes(tasks, maker, policy or Policy(), answers_for):
        odd += [outcome.task] if outcome.is_odd else []
        for each in outcome.left_out:
            left_out[each.reason] += 1
            ids[each.reason] += [] if each.annotation is None else [each.annotation]
        wrong |= {outcome.text_sha} if outcome.has_wrong_reference and outcome.text_sha else set()
        if outcome.example and outcome.updated_at:
            made.append((outcome.text_sha, outcome.group_sha, outcome.example))
            newest = max(newest or outcome.updated_at, outcome.updated_at)
    if odd:
        _log.warning("project %d: the unreadable parts of these tasks are left out: %s", maker.project, _listed(odd))
    assigned = split([sha for sha, _, _ in made], [group for _, group, _ in made])
    return ExampleSet(
        train=tuple(example for sha, _, example in made if assigned.splits.get(sha) != "eval"),
        held_out=tuple(example for sha, _, example in made if assigned.splits.get(sha) == "eval"),
        left_out=dict(sorted(left_out.items())),
        newest=newest,
        lacks=assigned.lacks,
        left_out_ids={reason: tuple(sorted(ids[reason])) for reason in sorted(ids)},
        wrong_references=frozenset(wrong),
        groups={sha: group for sha, group, _ in made},
    )


@dataclass(frozen=True)
class _Make:
    """Makes the examples of a task, as `policy.Make`."""

    task: TaskRow
    maker: ExampleMaker
    answers: Sequence[Answer]

    def __call__(self, annotation: AnnotationRow, revision: Revision | None) -> Example | Reason:
        try:
            return self.maker.make(self.task, annotation, self.answers, revision)
        except Exception as error:  # noqa: BLE001 - whatever a task holds, the others become examples
            _log.warning("project %d: task %d is left out: %s", self.maker.project, self.task.id, log_unexpected(error))
            return "unreadable"


def _outcome(task: TaskRow, maker: ExampleMaker, policy: Policy, answers_of: AnswersOf) -> TaskOutcome:
    has_any = not all(annotation.was_cancelled for annotation in task.annotations)
    answers = answers_of(task.id) if has_any else ()

    decision = policy.decide(task.annotations, maker.labeling, _Make(task, maker, answers))
    text = decision.example.question if decision.example else _labelled_text(task, maker)
    own = "" if text is None else text_sha(text)
    return TaskOutcome(
        task=task.id,
        example=decision.example,
        text_sha=own,
        group_sha=Lineage.of(task.data).group_sha(own),
        left_out=(*decision.left_out, *[LeftOut(None, "unreadable")] * task.unreadable),
        updated_at=decision.updated_at,
        is_odd=task.is_odd,
    )


def _labelled_text(task: TaskRow, maker: ExampleMaker) -> str | None:
    """The labelled text of a task; None if it lacks a field."""
    try:
        return maker.labeling.labelled_text(task.data)
    except Exception:  # noqa: BLE001 - as in `_outcome`, where the annotations were left out for it
        return None


def _listed(tasks: Sequence[int]) -> str:
    more = f" and {len(tasks) - MAX_TASKS_LISTED} more" if len(tasks) > MAX_TASKS_LISTED else ""
    return f"{', '.join(map(str, tasks[:MAX_TASKS_LISTED]))}{more}"
