"""Accepted lists of questions as tasks: one for each question, in a project where the questions are answered."""

import html
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from annotune.errors import RequestInvalid
from annotune.label_studio.rows import ListedTask, ProjectRow
from annotune.labeling.config import Labeling
from annotune.labeling.objects import LabeledObject
from annotune.labeling.regions import valid_unicode
from curation.accepted import Accepted, AcceptedAnswers
from curation.context import CurationContext
from curation.likeness import text_similarity
from curation.lineage import ABSTRACT_ID, Lineage
from curation.moved_tasks import MoveCounts, Renewal, TaskMover, completed, made_from, renewal
from curation.patience import Check, Notice, log, until_done
from curation.question_list import split_questions
from curation.similarity import SimilarityIndex, Text
from curation.templates import templates

# From this share of equal characters on, a question that is new in a list is a correction of one that is gone from it.
CORRECTED = 0.6
QUESTIONS = "questions"


@dataclass(frozen=True)
class Double:
    """A question that was dropped, since `like` asks the same: the question of a task, or of one that is made now (None)."""

    source_task: int
    question: str
    like: str
    task: int | None


@dataclass
class Transfer(MoveCounts):
    """What came of a transfer.

    `dropped` counts lines and questions by reason: those of `question_list.py`, and `doubled` and `near-doubled`.
    `left_out` counts annotations by reason, `lists` the accepted lists.
    """

    source: int = 0
    target: int = 0
    lists: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    doubles: list[Double] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    dry_run: bool = False


def transfer_questions(
    context: CurationContext, source: int, target: int, *, dry_run: bool = False, notice: Notice = log.warning
) -> Transfer:
    """Make a task in `target` for each question that people accepted in `source`. Again it moves only what is new.

    Raises:
        RequestInvalid: the projects do not fit each other; the message says why.
        NotFound: there is no such project.
        InUse: another process changes the tasks of `target`.
        LabelStudioError, Unauthorized, StoreUnavailable: a service did not answer as it should.
    """
    if source == target:
        raise RequestInvalid(f"project {source} cannot be filled from itself: name another project")
    moved: list[int] = []
    updated: list[int] = []

    def work(check: Check | None) -> Transfer:
        done = Transfer(moved=moved, updated=updated, source=source, target=target, dry_run=dry_run)
        _Pass(context, done, check).run()
        return done

    return work(None) if dry_run else until_done(context, target, work, notice=notice)


class _Questions:
    """The questions that are asked already, by the task's id, or a negative number for a task that is made now."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self._index = SimilarityIndex()

    def add(self, key: int, question: str) -> None:
        self._index.add(key, question)
        self.texts[key] = question

    def like(self, question: str) -> int | None:
        """The question that this one is a near-duplicate of."""
        return self._index.duplicate(question)


class _Pass:
    """One pass over both projects."""

    def __init__(self, context: CurationContext, done: Transfer, check: Check | None) -> None:
        self._context, self._done = context, done
        self._mover = TaskMover(context.label_studio, done.target, done, check)
        check_templates(context, done)
        self._target = context.project(done.target)
        self._asked = question_object(self._target, context.labeling(self._target.label_config, done.target))
        self._accepted = AcceptedAnswers.of(context, done.source)
        check_lists(self._accepted)
        self._dropped: Counter[str] = Counter()
        self._questions = _Questions()

    def run(self) -> None:
        done, accepted = self._done, self._accepted
        tasks = list(self._context.label_studio.tasks.listed(done.target))
        for task in tasks:
            self._questions.add(task.id, self._question_of(task))
        existing = made_from(tasks, done.source)
        counted, renewals, new = set(), [], []
        for each in accepted.read(self._context):
            counted.add(each.task.id)
            found, left = self._matched(each, existing.get(each.task.id, []))
            renewals += found
            new += left
        self._mover.renew(renewals)
        corrected = {each.task: each.now for each in renewals if each.task in done.updated}
        self._questions = _Questions()
        for task in tasks:
            self._questions.add(task.id, corrected.get(task.id) or self._question_of(task))
        self._mover.make(list(self._without_doubles(new)))
        for source_task, made in existing.items():
            if source_task not in counted:
                for task in made:
                    self._mover.list_for_person(task.id, "deleted", source_task)
        done.left_out = accepted.counts()
        done.dropped = {reason: count for reason, count in sorted(self._dropped.items()) if count}

    def _matched(
        self, accepted: Accepted, existing: Sequence[ListedTask]
    ) -> tuple[list[Renewal], list[tuple[Accepted, str]]]:
        """The changes of the tasks that a list has already, and the questions that have none yet."""
        listed = split_questions(accepted.answer)
        self._dropped.update({str(reason): count for reason, count in listed.dropped.items()})
        self._done.lists += 1
        left = list(dict.fromkeys(listed.questions))
        self._dropped["doubled"] += len(listed.questions) - len(left)
        renewals, others = [], []
        for task in existing:
            question = self._question_of(task)
            if question in left:
                left.remove(question)
                renewals += self._renewed(task, accepted, question)
            else:
                others.append(task)
        for task in others:
            corrected = _corrected(self._question_of(task), left)
            if corrected is None:
                self._mover.list_for_person(task.id, "gone", accepted.task.id)
                continue
            left.remove(corrected)
            if self._questions.like(corrected) in {None, task.id}:
                self._questions.add(task.id, corrected)
                renewals += self._renewed(task, accepted, corrected)
            else:
                self._mover.list_for_person(task.id, "doubled", accepted.task.id, corrected)
        return renewals, [(accepted, question) for question in left]

    def _renewed(self, task: ListedTask, accepted: Accepted, question: str) -> list[Renewal]:
        found = renewal(task, self._data(accepted, question), question)
        self._done.there += found is None
        return [found] if found else []

    def _without_doubles(self, new: Sequence[tuple[Accepted, str]]) -> Iterator[dict[str, object]]:
        """The data of the tasks to make."""
        for number, (accepted, question) in enumerate(new, 1):
            key = self._questions.like(question)
            if key is None:
                self._questions.add(-number, question)
                yield self._data(accepted, question)
                continue
            like = self._questions.texts[key]
            self._dropped["doubled" if Text.of(like) == Text.of(question) else "near-doubled"] += 1
            self._done.doubles.append(Double(accepted.task.id, question, like, key if key > 0 else None))

    def _question_of(self, task: ListedTask) -> str:
        return self._asked.text(task.data) if self._asked.field in task.data else ""

    def _data(self, accepted: Accepted, question: str) -> dict[str, object]:
        origin = accepted.task
        lineage = Lineage(
            source=valid_unicode(accepted.labelled),
            project=self._done.source,
            task=origin.id,
            annotation=accepted.annotation,
        )
        asked = html.escape(question, quote=False) if self._asked.tag == "HyperText" else question
        data = {self._asked.field: asked} | lineage.as_data() | _abstract_id(origin.data)
        return completed(data, origin.data, self._target)


def question_object(project: ProjectRow, labeling: Labeling) -> LabeledObject:
    """The text that a project's controls label: there a question goes.

    Raises:
        RequestInvalid: it labels something else, or several texts.
    """
    labelled = [item for item in labeling.objects if not item.beside]
    if len(labelled) != 1 or labelled[0].tag not in {"Text", "HyperText"}:
        named = ", ".join(f"<{item.tag} name={item.name!r}>" for item in labelled)
        raise RequestInvalid(f"project {project.id} labels {named}: questions go to a project that labels one Text")
    if labelled[0].field in Lineage(abstract_id="-", project=1, task=1, annotation=1).as_data():
        raise RequestInvalid(
            f"project {project.id} asks in the field {labelled[0].field!r}, where the source of a question goes: name the"
            " field of its question otherwise"
        )
    return labelled[0]


def check_templates(context: CurationContext, done: Transfer) -> None:
    """Raise RequestInvalid if a project was made from a shipped template whose answers are no lists of questions, or whose
    tasks are no questions. Other projects are taken as they are.
    """
    shipped_names = {template.name for template in templates()} - {QUESTIONS}
    source, target = (context.store.options.get(project).template for project in (done.source, done.target))
    if source in shipped_names:
        raise RequestInvalid(
            f"project {done.source} was made from the template {source!r}, whose answers are no lists of questions: name a"
            f" project of the template {QUESTIONS!r} first"
        )
    if target == QUESTIONS:
        raise RequestInvalid(
            f"project {done.target} was made from the template {QUESTIONS!r}, whose tasks are texts: name a project in which"
            " questions are answered second"
        )


def check_lists(accepted: AcceptedAnswers) -> None:
    """Raise RequestInvalid unless a project's answers are plain texts."""
    if accepted.labeling.free_text is None:
        names = ", ".join(control.name for control in accepted.labeling.controls)
        raise RequestInvalid(
            f"project {accepted.project.id} is no project of questions: its answers are of {names}, and a list of questions"
            " is the text of one TextArea"
        )


def _corrected(question: str, among: Sequence[str]) -> str | None:
    """The one that is likest, if it is like enough to be a correction."""
    best = max(among, key=lambda other: text_similarity(question, other), default=None)
    return best if best is not None and text_similarity(question, best) >= CORRECTED else None


def _abstract_id(data: Mapping[str, object]) -> dict[str, object]:
    """The id of the source text, as it is written in the task that it comes from."""
    return {ABSTRACT_ID: data[ABSTRACT_ID]} if Lineage.of(data).abstract_id else {}
