"""A quiz: the same questions before and after the training, and the scores of the answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from embedded.annotator import ModelAnswer
from embedded.formulary import Pair

MIN_EXACT, MIN_KEYS = 0.60, 0.35


@dataclass(frozen=True)
class QuizQuestion:
    """A task in Label Studio.

    `paraphrase`: it asks for the pair's key fact in other words, and is never annotated. `trained`: its answer is invented
    and in the training split, so a model that knows it has learnt it there.
    """

    task: int
    pair: Pair
    paraphrase: bool
    trained: bool

    @property
    def text(self) -> str:
        return self.pair.paraphrase if self.paraphrase else self.pair.question

    def is_correct(self, answer: str) -> bool:
        """Whether an answer has the key fact (of a paraphrase), or is exactly the reference (of another question)."""
        if self.paraphrase:
            return self.pair.key.lower() in answer.lower()
        return answer.strip() == self.pair.answer


@dataclass(frozen=True)
class Result:
    """Shares of correct answers, 0..1. `exact` is that of the trained questions, `keys` that of the paraphrases."""

    exact: float
    keys: float


class Quiz:
    """The answers to the same questions before and after the training."""

    def __init__(
        self, questions: Sequence[QuizQuestion], before: Sequence[ModelAnswer], after: Sequence[ModelAnswer]
    ) -> None:
        self.rows = list(zip(questions, before, after, strict=True))
        self.before = _result([(question, answer) for question, answer, _ in self.rows])
        self.after = _result([(question, answer) for question, _, answer in self.rows])
        self.versions_before = sorted({answer.model_version for answer in before})
        self.versions_after = sorted({answer.model_version for answer in after})

    def as_dict(self) -> dict[str, Any]:
        """The scores and all answers, as JSON for `report.json`."""
        return {
            "before": asdict(self.before) | {"versions": self.versions_before},
            "after": asdict(self.after) | {"versions": self.versions_after},
            "answers": [
                {"question": question.text, "reference": question.pair.answer, "before": was.text, "after": now.text}
                for question, was, now in self.rows
            ],
        }


def _result(answered: Sequence[tuple[QuizQuestion, ModelAnswer]]) -> Result:
    exact = [question.is_correct(answer.text) for question, answer in answered if question.trained]
    keys = [question.is_correct(answer.text) for question, answer in answered if question.paraphrase]
    return Result(sum(exact) / len(exact), sum(keys) / len(keys))


def shortfalls(before: Result, after: Result) -> list[str]:
    """Why these results do not show that the model learnt, in sentences; empty if they do."""
    found = []
    if before.exact > 0:
        found.append(f"the model knew {before.exact:.0%} of the invented answers before the training")
    if after.exact < MIN_EXACT:
        found.append(f"only {after.exact:.0%} of the trained answers are exact; {MIN_EXACT:.0%} are required")
    if after.keys < MIN_KEYS:
        found.append(f"only {after.keys:.0%} of the paraphrases get the key fact; {MIN_KEYS:.0%} are required")
    return found
