"""What people accepted of a project's tasks: of each task the answer that counts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from annotune.errors import RequestInvalid
from annotune.label_studio.rows import AnnotationRow, ProjectRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.labeling.regions import UNTOUCHED
from curation.annotation import Reason, Revision
from curation.collect import ExampleRules
from curation.context import CurationContext
from curation.example import Example, Origin
from curation.judgements import marks_faults
from curation.policy import Policy


@dataclass(frozen=True)
class Accepted:
    """A task's accepted answer: the annotation that counts, and the text that it labels."""

    task: TaskRow
    annotation: int
    answer: str
    labelled: str


@dataclass
class AcceptedAnswers:
    """The accepted answers of a project. `left_out` counts annotations by reason; it is complete after `read`."""

    project: ProjectRow
    labeling: Labeling
    policy: Policy
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, context: CurationContext, project: int) -> "AcceptedAnswers":
        """Those of a project. Raises as `ExampleRules.read`, and NotFound where there is no such project."""
        row = context.project(project)
        rules = ExampleRules.read(context.label_studio, context.store, context.settings, row)
        return cls(row, rules.maker.labeling, rules.policy)

    def read(self, context: CurationContext) -> Iterator[Accepted]:
        """Read them from Label Studio, page by page."""
        self.left_out.clear()
        for task in context.label_studio.tasks.annotated(self.project.id):
            self.left_out["unreadable"] += task.unreadable
            decision = self.policy.decide(task.annotations, self.labeling, self._maker(task))
            self.left_out.update(each.reason for each in decision.left_out)
            if decision.example:
                yield Accepted(
                    task=task,
                    annotation=decision.example.origin.annotation,
                    answer=decision.example.answer,
                    labelled=decision.example.question,
                )

    def counts(self) -> dict[str, int]:
        """How many annotations were left out, by reason."""
        return {reason: count for reason, count in sorted(self.left_out.items()) if count}

    def _maker(self, task: TaskRow) -> "_Maker":
        return _Maker(self.project.id, self.labeling, task)


@dataclass(frozen=True)
class _Maker:
    """Makes what the policy decides among. Unlike a training, it needs no prompt: what a person accepted is enough."""

    project: int
    labeling: Labeling
    task: TaskRow

    def __call__(self, annotation: AnnotationRow, revision: Revision | None) -> Example | Reason:
        texts = (revision.answer,) if revision else self.labeling.answers(annotation.result)
        if len(texts) > 1:
            return "uncertain"
        if not revision and marks_faults(annotation) and self._is_the_models(annotation, texts[0]):
            return "faulty"
        try:
            labelled = self.labeling.labelled_text(self.task.data)
        except RequestInvalid:
            return "no field"
        origin = Origin(
            project=self.project,
            task=self.task.id,
            annotation=annotation.id,
            annotator=annotation.completed_by,
            prompt_sha="",
            kind="typed",
        )
        return Example(messages=(), answer=texts[0].strip(), question=labelled, origin=origin)

    def _is_the_models(self, annotation: AnnotationRow, answer: str) -> bool:
        """Whether nobody changed the model's answer, as the page marks it or a stored prediction tells."""
        filled = {control.name for control in self.labeling.controls}
        if any(region.get("origin") == UNTOUCHED and region.get("from_name") in filled for region in annotation.result):
            return True
        said = (self.labeling.answer(prediction.result) for prediction in self.task.predictions)
        return any(text is not None and text.strip() == answer.strip() for text in said)
