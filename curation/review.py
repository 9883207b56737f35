"""Accepted answers as tasks for experts, whose verdicts outrank all annotations. What annotators differ on comes first."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from annotune.errors import RequestInvalid
from annotune.label_studio.rows import AnnotationRow
from annotune.labeling.config import Labeling
from annotune.labeling.regions import valid_unicode
from curation.accepted import Accepted, AcceptedAnswers
from curation.context import CurationContext
from curation.likeness import same_answer
from curation.lineage import ABSTRACT_ID, Lineage
from curation.moved_tasks import MoveCounts, TaskMover, completed, made_from, renewal
from curation.patience import Check, Notice, log, until_done

QUESTION, ANSWER, DISAGREEMENT = "question", "answer", "disagreement"


@dataclass
class Review(MoveCounts):
    """What came of filling a review project. `left_out` counts annotations of the reviewed project by reason."""

    reviewed: int = 0
    project: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Disagreement:
    """How many of a task's annotators gave another answer than the one that counts."""

    differ: int
    annotators: int

    @classmethod
    def of(cls, accepted: Accepted, labeling: Labeling) -> "Disagreement":
        """Each annotator has one voice, with their latest answer; those who are unknown have one together."""
        latest: dict[int | None, AnnotationRow] = {}
        for annotation in sorted(accepted.task.annotations, key=lambda each: (each.updated_at, each.id)):
            if not annotation.was_cancelled and labeling.answer(annotation.result):
                latest[annotation.completed_by] = annotation
        answers = [labeling.answer(annotation.result) or "" for annotation in latest.values()]
        return cls(sum(not same_answer(labeling, answer, accepted.answer) for answer in answers), len(answers))

    @property
    def order(self) -> tuple[float, int]:
        """What most annotators differ on comes first."""
        return -self.differ / max(self.annotators, 1), -self.differ

    def __str__(self) -> str:
        if self.annotators <= 1:
            return "1 annotator differs" if self.differ else "1 annotator"
        if not self.differ:
            return f"{self.annotators} annotators agree"
        return f"{self.differ} of {self.annotators} annotators {'differs' if self.differ == 1 else 'differ'}"


def fill_review(
    context: CurationContext, review_project: int, reviewed_project: int, *, notice: Notice = log.warning
) -> Review:
    """Make a task for experts of each accepted answer of a project. Again it adds only what is new.

    An answer that changed since is renewed if there is no verdict yet; otherwise the task is listed for a person.

    Raises:
        RequestInvalid: the review project shows a field that the reviewed tasks lack.
        NotFound: there is no such project.
        InUse: another process changes the tasks of the review project.
        LabelStudioError, Unauthorized, StoreUnavailable: a service did not answer as it should.
    """
    if review_project == reviewed_project:
        raise RequestInvalid(f"project {review_project} cannot review itself: name another project")
    moved: list[int] = []
    updated: list[int] = []

    def work(check: Check) -> Review:
        done = Review(moved=moved, updated=updated, project=review_project, reviewed=reviewed_project)
        _fill(context, done, check)
        return done

    return until_done(context, review_project, work, notice=notice)


def _fill(context: CurationContext, done: Review, check: Check) -> None:
    studio = context.label_studio
    mover, target = TaskMover(studio, done.project, done, check), context.project(done.project)
    existing = made_from(studio.tasks.listed(done.project), done.reviewed)
    answers = AcceptedAnswers.of(context, done.reviewed)
    # A verdict is about what people accepted: its own correction would look like a change of that.
    answers.policy = replace(answers.policy, verdicts={})
    counted: set[int] = set()
    renewals, new = [], []
    for accepted, disagreement in _with_disagreement(answers, context):
        counted.add(accepted.task.id)
        data = completed(_data(accepted, disagreement, done.reviewed), accepted.task.data, target)
        tasks = existing.get(accepted.task.id, [])
        found = [renewal(task, data, accepted.answer, beside=(DISAGREEMENT,)) for task in tasks]
        renewals += [each for each in found if each]
        done.there += found.count(None)
        new += [] if tasks else [(disagreement.order, data)]
    mover.renew(renewals)
    mover.make([data for _, data in sorted(new, key=lambda each: each[0])])
    for source_task, tasks in existing.items():
        for task in tasks if source_task not in counted else ():
            mover.list_for_person(task.id, "deleted", source_task)
    done.left_out = answers.counts()


def _with_disagreement(answers: AcceptedAnswers, context: CurationContext) -> Iterator[tuple[Accepted, Disagreement]]:
    return ((accepted, Disagreement.of(accepted, answers.labeling)) for accepted in answers.read(context))


def _data(accepted: Accepted, disagreement: Disagreement, reviewed: int) -> dict[str, object]:
    origin = Lineage.of(accepted.task.data)
    lineage = Lineage(source=origin.source, project=reviewed, task=accepted.task.id, annotation=accepted.annotation)
    shown = {QUESTION: valid_unicode(accepted.labelled), ANSWER: accepted.answer, DISAGREEMENT: str(disagreement)}
    abstract = {ABSTRACT_ID: accepted.task.data[ABSTRACT_ID]} if origin.abstract_id else {}
    return shown | lineage.as_data() | abstract
