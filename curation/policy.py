"""Which annotation of a task counts. At most one does, and every other one is left out for a reason.

1. A reviewer's verdict: an accepted answer counts, a corrected one counts as corrected, a rejected one never.
2. An expert's (the setting EXPERTS).
3. One that is marked as ground truth.
4. All others.

Of those that are equal in this order, the latest one counts that becomes an example; but if at least two annotators agree,
and more than on any other answer, it is the latest of theirs. Two answers agree as `same_answer` says. An annotator has one
voice, with their latest annotation; those whose annotator is unknown have one voice together.

A mark of a wrong reference is about the task. So the task is left out, unless an annotation that counts more stands against
the mark, or the annotator who set it annotated later without it. An answer that was rejected, or accepted with faults marked
in it, is left out wherever it stands again.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from annotune.label_studio.rows import AnnotationRow
from annotune.labeling.config import Labeling
from annotune.log import log_unexpected
from curation.annotation import Reason, Revision
from curation.example import Example
from curation.judgements import marks_faults, marks_wrong_reference
from curation.likeness import same_answer
from curation.verdict import ReviewVerdict

TWO = 2

_log = logging.getLogger(__name__)

Make = Callable[[AnnotationRow, Revision | None], Example | Reason]
"""Makes the example of an annotation, or says why it is none."""


class Rank(IntEnum):
    """How much an annotation counts; the lowest counts most."""

    VERDICT = 1
    EXPERT = 2
    GROUND_TRUTH = 3
    OTHER = 4


@dataclass(frozen=True)
class LeftOut:
    """An annotation that is left out, and why. `annotation` is None where Label Studio holds something unreadable."""

    annotation: int | None
    reason: Reason


@dataclass(frozen=True)
class Decision:
    """The example of a task, if it has one, when what it comes from was last changed, and what was left out."""

    example: Example | None = None
    updated_at: datetime | None = None
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Who counts more than others: `experts` are ids of users, `verdicts` the reviewers', by annotation.

    `unknown_experts` are e-mails in EXPERTS that Label Studio does not know.
    """

    experts: frozenset[int] = frozenset()
    verdicts: Mapping[int, ReviewVerdict] = field(default_factory=dict)
    unknown_experts: tuple[str, ...] = ()

    def decide(self, annotations: Sequence[AnnotationRow], labeling: Labeling, make: Make) -> Decision:
        """Decide which of a task's annotations counts. `make` is called for none that cannot count."""
        candidates = [self._candidate(annotation, labeling) for annotation in annotations]
        if len(candidates) == 1:  # nearly all tasks, so this pays
            return _only(candidates[0], make)
        return _Choice(labeling, make, candidates).decide()

    def _candidate(self, annotation: AnnotationRow, labeling: Labeling) -> "_Candidate":
        reason, answer = _answer_of(annotation, labeling)
        verdict = self.verdicts.get(annotation.id)
        if verdict is None or annotation.was_cancelled or not verdict.holds_for(answer):
            return _Candidate(annotation, self._rank(annotation), answer, annotation.updated_at, reason)
        at, own = max(annotation.updated_at, verdict.at), (verdict.answer or "").strip()
        if verdict.kind == "wrong reference":
            return _Candidate(annotation, Rank.VERDICT, answer, at, "wrong reference")
        if verdict.kind == "reject" or (verdict.kind == "correct" and not own):
            return _Candidate(annotation, Rank.VERDICT, answer, at, "rejected", refused=answer)
        if verdict.kind == "correct":
            refused = answer if answer != own else ""
            return _Candidate(annotation, Rank.VERDICT, own, at, None, Revision(own, verdict.annotator), refused)
        return _Candidate(annotation, Rank.VERDICT, answer, at, reason)

    def _rank(self, annotation: AnnotationRow) -> Rank:
        if annotation.completed_by in self.experts:
            return Rank.EXPERT
        return Rank.GROUND_TRUTH if annotation.ground_truth else Rank.OTHER


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An annotation with its rank and its answer.

    `reason` says why it cannot count, whatever others there are. `refused` is an answer that a reviewer did not accept.
    """

    annotation: AnnotationRow
    rank: Rank
    answer: str
    at: datetime
    reason: Reason | None = None
    revision: Revision | None = None
    refused: str = ""

    @property
    def order(self) -> tuple[datetime, int]:
        return self.at, self.annotation.id

    @property
    def voice(self) -> int | None:
        return self.revision.annotator if self.revision else self.annotation.completed_by


def _only(candidate: _Candidate, make: Make) -> Decision:
    made = candidate.reason or make(candidate.annotation, candidate.revision)
    if isinstance(made, Example):
        return Decision(made, candidate.at)
    return Decision(left_out=(LeftOut(candidate.annotation.id, made),))


class _Choice:
    """The choice among the candidates of one task."""

    def __init__(self, labeling: Labeling, make: Make, candidates: Sequence[_Candidate]) -> None:
        self._labeling, self._make = labeling, make
        self._candidates = sorted(candidates, key=lambda each: (each.rank, *_reversed(each)))
        self._left_out = {each.annotation.id: each.reason for each in candidates if each.reason}
        self._bad: dict[str, Reason] = {each.refused: "rejected" for each in candidates if each.refused}
        self._made: dict[int, Example | Reason] = {}

    def decide(self) -> Decision:
        for rank in sorted({each.rank for each in self._candidates}):
            ranked = [each for each in self._candidates if each.rank is rank]
            if any(self._stands(each) for each in ranked if each.reason == "wrong reference"):
                return self._decision(None, "wrong reference")
            able = [each for each in ranked if each.reason is None]
            self._find_faulty(able)
            agreed = agreed_among(able, self._labeling)
            for candidate in (*agreed, *(each for each in able if each not in agreed)):
                made = self._example(candidate)
                if isinstance(made, Example):
                    return self._won(candidate, made, agreed if candidate in agreed else ())
                self._left_out[candidate.annotation.id] = made
        return self._decision(None, None)

    def _example(self, candidate: _Candidate) -> Example | Reason:
        return self._bad.get(candidate.answer) or self._make_once(candidate)

    def _make_once(self, candidate: _Candidate) -> Example | Reason:
        number = candidate.annotation.id
        if number not in self._made:
            self._made[number] = self._make(candidate.annotation, candidate.revision)
        return self._made[number]

    def _find_faulty(self, able: Sequence[_Candidate]) -> None:
        """Note the answers that somebody's latest annotation accepts with faults marked in them."""
        for candidate in _latest_of_each(able):
            if marks_faults(candidate.annotation) and self._make_once(candidate) == "faulty":
                self._bad[candidate.answer] = "faulty"

    def _stands(self, marked: _Candidate) -> bool:
        """Whether a mark of a wrong reference holds: its annotator has not annotated later without it."""
        return marked.rank is Rank.VERDICT or not any(
            each.reason is None and each.voice is not None and each.voice == marked.voice and each.order > marked.order
            for each in self._candidates
        )

    def _won(self, winner: _Candidate, example: Example, agreed: Sequence[_Candidate]) -> Decision:
        for each in self._candidates:
            if each is winner or each.annotation.id in self._left_out:
                continue
            if each in agreed:
                reason: Reason = "agrees"
            elif agreed or each.rank is not winner.rank:
                reason = "outranked"
            else:
                reason = "older"
            self._left_out[each.annotation.id] = reason
        return self._decision(winner, None, example)

    def _decision(self, winner: _Candidate | None, rest: Reason | None, example: Example | None = None) -> Decision:
        """The decision; `rest` is the reason of all that none was found for yet."""
        numbers = [each.annotation.id for each in self._candidates if each is not winner]
        reasons = [(number, self._left_out.get(number) or rest) for number in sorted(numbers)]
        return Decision(
            example=example,
            updated_at=winner.at if winner else None,
            left_out=tuple(LeftOut(number, reason) for number, reason in reasons if reason),
        )


def agreed_among(candidates: Sequence[_Candidate], labeling: Labeling) -> tuple[_Candidate, ...]:
    """The candidates whose answer at least two annotators agree on, and more than on any other; the latest first.

    None if there is no such answer.
    """
    voices = [each for each in _latest_of_each(candidates) if each.answer]
    if len(voices) < TWO:
        return ()
    like = [[other for other in voices if same_answer(labeling, each.answer, other.answer)] for each in voices]
    group = max(like, key=len)
    rivals = [found for each, found in zip(voices, like, strict=True) if each not in group]
    if len(group) < TWO or any(len(found) >= len(group) for found in rivals):
        return ()
    return tuple(sorted(group, key=lambda each: each.order, reverse=True))


def _latest_of_each(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """The latest candidate of each annotator."""
    latest: dict[int | None, _Candidate] = {}
    for each in sorted(candidates, key=lambda each: each.order):
        latest[each.voice] = each
    return list(latest.values())


def _reversed(candidate: _Candidate) -> tuple[float, int]:
    return -candidate.at.timestamp(), -candidate.annotation.id


def _answer_of(annotation: AnnotationRow, labeling: Labeling) -> tuple[Reason | None, str]:
    """Why an annotation cannot count, if so, and its answer; an uncertain one, which has several, agrees with none."""
    if annotation.was_cancelled:
        return "skipped", ""
    try:
        texts = labeling.answers(annotation.result)
    except Exception as error:  # noqa: BLE001 - whatever an annotation holds, the others become examples
        _log.warning("annotation %d is left out: %s", annotation.id, log_unexpected(error))
        return "unreadable", ""
    answer = texts[0].strip() if len(texts) == 1 else ""
    if marks_wrong_reference(annotation):
        return "wrong reference", answer
    return (None if texts else "empty"), answer
