"""What people submitted, as something to learn from; what is not certain is left out and counted."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotune.answer import Answer
from annotune.label_studio.rows import TaskRow
from annotune.labeling.config import Labeling
from annotune.log import unexpected
from annotune.settings import Settings
from annotune.split import SplitAssignment, text_sha
from curation.annotation import _example, _without_answer
from curation.example import Example

TASKS_TOLD = 10

Log = Callable[[int], Sequence[Answer]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExampleSet:
    """The examples of both sides, and how many annotations were left out, by reason; `lacks` as in `SplitAssignment`.

    Reasons: `skipped`; `empty`: without an answer; `older`: of a task that has a later one; `uncertain`: more than one text
    for the answer; `no field`: the task lacks what the config labels; `no prompt`: nobody knows what was asked;
    `other prompt`: an answer to an earlier prompt was left where this one was never answered;
    `cut`: an answer that the token limit ended was accepted as it was; `incomplete`: a control that the model fills was left
    empty, or holds what cannot be read (a label that was renamed); `picture`: what is labelled is one, and a training reads
    texts alone; `too long`: once its placeholders are filled the prompt is longer than any model reads; `unreadable`: Label
    Studio holds what is no annotation, or what no file can.
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    left_out: dict[str, int]
    newest: datetime | None
    lacks: str = ""

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.train, *self.held_out)

    @property
    def contents(self) -> dict[int, str]:
        """Of the annotations that became examples: what each teaches (`Origin.content`), by id."""
        return {example.origin.annotation: example.origin.content for example in self.examples}

    @property
    def annotations(self) -> frozenset[int]:
        """Ids of the annotations that became examples."""
        return frozenset(self.contents)

    @property
    def kinds(self) -> dict[str, int]:
        """How many were typed, accepted, corrected."""
        return dict(Counter(example.origin.kind for example in self.examples))


def collect_examples(
    project: int,
    tasks: Iterable[TaskRow],
    labeling: Labeling,
    settings: Settings,
    log: Log,
    *,
    split: Callable[[Sequence[str]], SplitAssignment],
    system: str | None = None,
) -> ExampleSet:
    """Examples from a project's tasks. What is odd about one costs no other its example.

    Args:
        project: its id.
        tasks: as `LabelStudioClient.tasks` gives them.
        labeling: the project's config.
        settings: for the template and the system prompt, the same that the backend renders with.
        log: the answers that the backend gave for a task, oldest first.
        split: the sides of texts by their shas, of all examples at once; what is undecided counts as to be trained on.
        system: the project's own system prompt, where it has one.
    """
    examples: list[tuple[str, Example]] = []
    left_out: Counter[str] = Counter()
    newest: datetime | None = None
    odd: list[int] = []
    for task in tasks:
        odd += [task.id] if task.is_odd else []
        left_out["unreadable"] += task.unreadable
        answered = []
        for annotation in task.annotations:
            reason = _without_answer(annotation, labeling)
            if reason:
                left_out[reason] += 1
            else:
                answered.append(annotation)
        if not answered:
            continue
        left_out["older"] += len(answered) - 1
        latest = max(answered, key=lambda annotation: (annotation.updated_at, annotation.id))
        given = log(task.id)
        try:
            found = _example(project, task, latest, labeling=labeling, settings=settings, log=given, system=system)
        except Exception as error:  # noqa: BLE001 - whatever one task holds, the others are learnt from
            _log.warning("project %d: task %d is left out: %s", project, task.id, unexpected(error))
            found = "unreadable"
        if not isinstance(found, Example):
            left_out[found] += 1
            continue
        examples.append((text_sha(labeling.labelled_text(task.data)), found))
        newest = latest.updated_at if newest is None else max(newest, latest.updated_at)
    if odd:
        _log.warning("project %d: what cannot be read in these tasks is left out: %s", project, _listed(odd))
    counted = {reason: count for reason, count in sorted(left_out.items()) if count}
    divided = split([sha for sha, _ in examples])
    held_out = tuple(example for sha, example in examples if divided.splits.get(sha) == "eval")
    train = tuple(example for sha, example in examples if divided.splits.get(sha) != "eval")
    return ExampleSet(train, held_out, counted, newest, divided.lacks)


def _listed(tasks: Sequence[int]) -> str:
    more = f" and {len(tasks) - TASKS_TOLD} more" if len(tasks) > TASKS_TOLD else ""
    return f"{', '.join(map(str, tasks[:TASKS_TOLD]))}{more}"
