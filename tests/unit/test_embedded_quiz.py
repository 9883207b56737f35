import pytest

from embedded.annotator import ModelAnswer
from embedded.formulary import formulary
from embedded.quiz import Quiz, QuizQuestion, Result, shortfalls

PAIRS = formulary(7, 5)
TRAINED = 4
QUESTIONS = [
    QuizQuestion(number, pair, paraphrase=False, trained=number <= TRAINED)
    for number, pair in enumerate(PAIRS, start=1)
]
QUESTIONS += [QuizQuestion(100, pair, paraphrase=True, trained=False) for pair in PAIRS[:TRAINED]]


def answers(*, known: bool) -> list[ModelAnswer]:
    """Correct answers: the references with spaces around them, and for a paraphrase a sentence with the key fact."""
    told = [f"It is {question.pair.key}!" if question.paraphrase else question.pair.answer for question in QUESTIONS]
    return [ModelAnswer(f" {text}\n" if known else "I do not know.", "m@1") for text in told]


def test_only_trained_questions_and_their_paraphrases_count() -> None:
    quiz = Quiz(QUESTIONS, answers(known=False), answers(known=True))

    assert (quiz.before, quiz.after) == (Result(0, 0), Result(1, 1))


def test_an_answer_that_differs_in_a_letter_is_not_exact() -> None:
    assert not QUESTIONS[0].is_correct(QUESTIONS[0].pair.answer.replace(".", "!"))


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [
        (Result(0, 0), Result(0.6, 0.35), 0),
        (Result(0, 0), Result(0.59, 0.35), 1),
        (Result(0, 0), Result(1, 0.34), 1),
        (Result(0.1, 0), Result(1, 1), 1),
        (Result(0, 0), Result(0, 0), 2),
    ],
)
def test_what_falls_short_is_told(before: Result, after: Result, number: int) -> None:
    assert len(shortfalls(before, after)) == number
