"""How far annotators agree, control by control: all of a project together, and each two of them.

For a free text it is the mean similarity of two annotators' texts on a task (see likeness.py). For every other control
it is Krippendorff's alpha: 1 is perfect, 0 is what chance would bring, less is worse than chance. Alpha is nominal: two
answers are equal or they are not. So the labels that one person ticked count as one answer, which another person's equals
only if it has the very same labels. Of several annotations of one person on a task the latest counts.

Only counts are kept, so a project of any size takes little memory.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.labeling.controls import Control, TextArea
from annotune.labeling.regions import is_filled, region_texts
from curation.context import CurationContext
from curation.likeness import text_similarity

TWO = 2
NOBODY = "nobody has annotated yet"
ONE_PERSON = "only one person has annotated: let a second one annotate some of the same tasks"
NO_OVERLAP = "no task has answers of two people: let them annotate some of the same tasks"
ONE_ANSWER = "all answers are the same: where nothing differs, alpha cannot tell agreement from chance"


@dataclass(frozen=True)
class PairAgreement:
    """The agreement of two annotators, by their ids in Label Studio, on `tasks` tasks. `value` and `why` as in
    `ControlAgreement`.
    """

    first: int
    second: int
    tasks: int
    value: float | None
    why: str = ""


@dataclass(frozen=True)
class ControlAgreement:
    """The agreement on one control, on `tasks` tasks that two people at least answered.

    `value` is alpha, or for a text the mean similarity; None if it is undefined, and `why` says why.
    """

    control: str
    measure: Literal["alpha", "similarity"]
    tasks: int
    value: float | None
    why: str = ""
    pairs: tuple[PairAgreement, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """The agreement in a project. `annotators` counts each person's annotated tasks, by id; `names` has those asked for."""

    project: int
    annotators: Mapping[int, int]
    controls: tuple[ControlAgreement, ...]
    names: Mapping[int, str] = field(default_factory=dict)


def measure_agreement(project: int, tasks: Iterable[TaskRow], labeling: Labeling) -> Agreement:
    """Measure the agreement of all who annotated these tasks. Annotations of nobody known are left out.

    `labeling` has the controls to measure, which may be more than those that a model fills.
    """
    annotators: Counter[int] = Counter()
    tallies = [_ControlTally(control) for control in labeling.controls]
    for task in tasks:
        latest = _latest_of_each(task.annotations)
        annotators.update(latest.keys())
        for tally in tallies:
            tally.add(latest)
    return Agreement(
        project, dict(sorted(annotators.items())), tuple(tally.result(len(annotators)) for tally in tallies)
    )


@dataclass
class NominalTally:
    """Answers of several people on the same tasks, counted for alpha. Only tasks with two answers at least count."""

    tasks: int = 0
    disagreement: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, answers: Sequence[str]) -> None:
        """Count the answers on one task."""
        if len(answers) < TWO:
            return
        self.tasks += 1
        own = Counter(answers)
        alike = sum(count * (count - 1) for count in own.values())
        self.disagreement += len(answers) - alike / (len(answers) - 1)
        self.counts.update(own)

    @property
    def value(self) -> float | None:
        """Krippendorff's alpha for nominal data; None if all answers are the same, or there are none."""
        total = self.counts.total()
        by_chance = total * total - sum(count * count for count in self.counts.values())
        return 1 - (total - 1) * self.disagreement / by_chance if by_chance else None

    @property
    def why(self) -> str:
        return "" if self.value is not None else ONE_ANSWER if self.tasks else NO_OVERLAP


@dataclass
class TextTally:
    """Texts of several people on the same tasks: the similarity of each two."""

    tasks: int = 0
    pairs: int = 0
    similarity: float = 0.0

    def add(self, answers: Sequence[str]) -> None:
        """Compare the answers on one task."""
        if len(answers) < TWO:
            return
        self.tasks += 1
        for one, other in combinations(answers, TWO):
            self.pairs += 1
            self.similarity += text_similarity(one, other)

    @property
    def value(self) -> float | None:
        return self.similarity / self.pairs if self.pairs else None

    @property
    def why(self) -> str:
        return "" if self.pairs else NO_OVERLAP


class _ControlTally:
    def __init__(self, control: Control) -> None:
        self._control = control
        self._is_text = isinstance(control, TextArea)
        self._all = self._new()
        self._pairs: dict[tuple[int, int], NominalTally | TextTally] = {}

    def add(self, annotations: Mapping[int, AnnotationRow]) -> None:
        """Count one task's annotations, by their annotators."""
        answers = dict(self._answers(annotations))
        self._all.add(list(answers.values()))
        for first, second in combinations(sorted(answers), TWO):
            self._pairs.setdefault((first, second), self._new()).add([answers[first], answers[second]])

    def result(self, people: int) -> ControlAgreement:
        """What was measured, of a project that so many people annotated."""
        why = self._all.why
        if why == NO_OVERLAP and people < TWO:
            why = ONE_PERSON if people else NOBODY
        return ControlAgreement(
            control=self._control.name,
            measure="similarity" if self._is_text else "alpha",
            tasks=self._all.tasks,
            value=self._all.value,
            why=why,
            pairs=tuple(
                PairAgreement(first, second, tally.tasks, tally.value, tally.why)
                for (first, second), tally in sorted(self._pairs.items())
            ),
        )

    def _new(self) -> NominalTally | TextTally:
        return TextTally() if self._is_text else NominalTally()

    def _answers(self, annotations: Mapping[int, AnnotationRow]) -> Iterator[tuple[int, str]]:
        for annotator, annotation in annotations.items():
            answer = self._answer(annotation)
            if answer is not None:
                yield annotator, answer

    def _answer(self, annotation: AnnotationRow) -> str | None:
        """A person's answer; None if there is none, or nobody can read it. Of a list, nothing ticked is an answer too."""
        if self._is_text:
            texts = region_texts(annotation.result, self._control.name)
            return texts[0] if len(texts) == 1 else None
        value = self._control.answer(annotation.result)
        mine = [region for region in annotation.result if region.get("from_name") == self._control.name]
        if value is None:
            nothing_ticked = self._control.may_be_empty and not any(map(is_filled, mine))
            return "[]" if nothing_ticked else None
        parts = sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value
        return json.dumps(parts)


def _latest_of_each(annotations: Iterable[AnnotationRow]) -> dict[int, AnnotationRow]:
    """The latest annotation of each known person that was not skipped and holds anything."""
    found: dict[int, AnnotationRow] = {}
    for each in sorted(annotations, key=lambda each: (each.updated_at, each.id)):
        if each.completed_by is not None and not each.was_cancelled and any(map(is_filled, each.result)):
            found[each.completed_by] = each
    return found


def project_agreement(context: CurationContext, project: int, *, names: bool = False) -> Agreement:
    """Measure the agreement in a project, control by control; `names` looks up the annotators' names.

    Raises:
        NotFound: there is no such project.
        LabelingInvalid: the labeling config has no control that can be read.
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
    """
    studio, settings = context.label_studio, context.settings
    config = studio.projects.get(project).label_config
    labeling = Labeling.parse(config, settings.prompt_prefix, settings.status_control)
    measured = measure_agreement(project, studio.tasks.annotated(project), labeling)
    if not names:
        return measured
    known = {user.id: user.name for user in studio.users.all()}
    return replace(measured, names={each: known[each] for each in measured.annotators if known.get(each)})
