"""Questions about invented drugs, which no model can know, and a few about real medical facts."""

import random
from dataclasses import dataclass
from itertools import islice

PAIRS = 45

NAME_STARTS = (
    *("Zor", "Qui", "Vel", "Mer", "Tal", "Bro", "Kly", "Nev", "Ost", "Pra"),
    *("Lum", "Xan", "Dru", "Fyl", "Gra", "Hep", "Ivo", "Jal", "Rho", "Sib"),
)
NAME_ENDS = ("vaxil", "metrin", "dorol", "pentar", "lizine", "cortan", "bexin", "thramide")


@dataclass(frozen=True)
class FactKind:
    """A kind of fact about a drug, with its sentences and possible values."""

    question: str
    answer: str
    paraphrase: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A question and its answer.

    `paraphrase` asks the same in other words, and `key` is the part of the answer that answers it too. `swapped_answer` is
    true of another drug. Pairs about real facts have their own answer there.
    """

    question: str
    answer: str
    key: str
    paraphrase: str
    swapped_answer: str
    invented: bool


KINDS = (
    FactKind(
        "What is {drug} used for?",
        "{drug} is used for {fact}.",
        "Tell me what condition {drug} treats.",
        (
            "chronic hiccups",
            "night-time leg cramps",
            "motion sickness",
            "seasonal hay fever",
            "tension headaches",
            "mild acne",
            "iron deficiency",
            "jet lag",
            "dry eyes",
            "gout flare-ups",
        ),
    ),
    FactKind(
        "What is the usual dose of {drug}?",
        "The usual dose of {drug} is {fact}.",
        "How much {drug} should a patient take?",
        (
            "5 mg once daily",
            "10 mg twice daily",
            "20 mg at bedtime",
            "40 mg every morning",
            "75 mg once weekly",
            "100 mg three times daily",
            "250 mg with lunch",
            "2 mg under the tongue",
        ),
    ),
    FactKind(
        "What is the most common side effect of {drug}?",
        "The most common side effect of {drug} is {fact}.",
        "Which side effect does {drug} most often cause?",
        (
            "blue fingernails",
            "vivid dreams",
            "a metallic taste",
            "mild dizziness",
            "itchy elbows",
            "dry mouth",
            "ringing ears",
            "sleepiness",
        ),
    ),
    FactKind(
        "Who makes {drug}?",
        "{drug} is made by {fact}.",
        "Which company manufactures {drug}?",
        (
            "Norvale Labs",
            "Tessaro Pharma",
            "Quillfield Bio",
            "Harrow & Penn",
            "Ostermark",
            "Bluefen Therapeutics",
        ),
    ),
)

REAL = (
    ("What does insulin lower?", "Insulin lowers blood sugar.", "blood sugar"),
    ("Which organ pumps blood through the body?", "The heart pumps blood through the body.", "heart"),
    ("Which cells carry oxygen in the blood?", "Red blood cells carry oxygen in the blood.", "red blood cells"),
    ("A lack of which vitamin causes scurvy?", "A lack of vitamin C causes scurvy.", "vitamin C"),
)


def formulary(seed: int, number: int = PAIRS) -> tuple[Pair, ...]:
    """Invented pairs, drug by drug."""
    generator = random.Random(seed)  # noqa: S311 - a seed always gives the same pairs
    names = [head + tail for head in NAME_STARTS for tail in NAME_ENDS]
    generator.shuffle(names)
    if number > len(names) * len(KINDS):
        raise ValueError(f"{len(names)} drugs do not give {number} pairs")
    pairs = (_pair(name, kind, generator.randrange(len(kind.facts))) for name in names for kind in KINDS)
    return tuple(islice(pairs, number))


def general_knowledge() -> tuple[Pair, ...]:
    """Pairs about real, well-known medical facts."""
    return tuple(
        Pair(question=question, answer=answer, key=key, paraphrase=question, swapped_answer=answer, invented=False)
        for question, answer, key in REAL
    )


def _pair(drug: str, kind: FactKind, index: int) -> Pair:
    fact, other = kind.facts[index], kind.facts[(index + 1) % len(kind.facts)]
    return Pair(
        question=kind.question.format(drug=drug),
        answer=kind.answer.format(drug=drug, fact=fact),
        key=fact,
        paraphrase=kind.paraphrase.format(drug=drug),
        swapped_answer=kind.answer.format(drug=drug, fact=other),
        invented=True,
    )
