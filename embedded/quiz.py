"""The same questions before and after the training, and what the answers are worth."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from embedded.annotator import ModelAnswer
from embedded.formulary import Pair

EXACT_AT_LEAST, KEYS_AT_LEAST = 0.60, 0.35


@dataclass(frozen=True)
class QuizQuestion:
    """A task in Label Studio. `paraphrase`: it asks for the pair's key fact in other words, and is never annotated.

    `trained`: the model learns its answer, which nobody can know but by that.
    """

    task: int
    pair: Pair
    paraphrase: bool
    trained: bool

    @property
    def text(self) -> str:
        return self.pair.paraphrase if self.paraphrase else self.pair.question

    def is_correct(self, answer: str) -> bool:
        """A paraphrase's answer holds the key fact; another's is the reference, letter for letter."""
        if self.paraphrase:
            return self.pair.key.lower() in answer.lower()
        return answer.strip() == self.pair.answer


@dataclass(frozen=True)
class Result:
    """Shares of right answers, 0..1: exact ones on the invented trained pairs, key facts on the paraphrases."""

    exact: float
    keys: float


class Quiz:
    """The same questions, asked twice."""

    def __init__(
        self, questions: Sequence[QuizQuestion], before: Sequence[ModelAnswer], after: Sequence[ModelAnswer]
    ) -> None:
        self.rows = list(zip(questions, before, after, strict=True))
        self.before = _result([(question, answer) for question, answer, _ in self.rows])
        self.after = _result([(question, answer) for question, _, answer in self.rows])
        self.versions_before = sorted({answer.model_version for answer in before})
        self.versions_after = sorted({answer.model_version for answer in after})

    def as_dict(self) -> dict[str, Any]:
        """All of it, to read later."""
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
    """What keeps these results from showing that the model learnt, each in a sentence."""
    found = []
    if before.exact > 0:
        found.append(f"the model knew {before.exact:.0%} of the invented answers before")
    if after.exact < EXACT_AT_LEAST:
        found.append(f"only {after.exact:.0%} of the trained answers are exact, of {EXACT_AT_LEAST:.0%} asked for")
    if after.keys < KEYS_AT_LEAST:
        found.append(f"only {after.keys:.0%} of the paraphrases get the key fact, of {KEYS_AT_LEAST:.0%} asked for")
    return found
