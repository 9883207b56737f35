"""Generated feedback of patients, positive or negative: texts to classify, with known labels."""

import random
from dataclasses import dataclass
from typing import Literal

Label = Literal["Positive", "Negative"]

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="feeling" toName="text"><Choice value="Negative"/><Choice value="Positive"/></Choices></View>"""
PROMPT = "Is this patient's feedback positive or negative?"

SUBJECTS = (
    *("nurse", "doctor", "receptionist", "pharmacist", "surgeon", "physiotherapist", "ward team", "night staff"),
    *("ambulance crew", "dietician", "clinic", "helpline"),
)
SENTENCES: dict[Label, tuple[str, ...]] = {
    "Positive": (
        "The {subject} was kind and listened to every question.",
        "I felt safe because the {subject} explained each step.",
        "Thanks to the {subject} I am walking again.",
        "The {subject} answered within minutes, which was wonderful.",
        "I would come back to this {subject} any time.",
        "Even at four in the morning the {subject} smiled at us.",
        "The {subject} noticed what three others had missed.",
        "I have never had such good care as from the {subject}.",
        "The {subject} did not hurry me at all.",
    ),
    "Negative": (
        "The {subject} was rude and never looked at me.",
        "I waited five hours and the {subject} forgot about us.",
        "The {subject} lost my papers twice.",
        "Nobody believed my pain, least of all the {subject}.",
        "I would not send my worst enemy to this {subject}.",
        "The {subject} gave me the wrong tablets.",
        "After the {subject} had finished, everything hurt more than before.",
        "The {subject} could have smiled once in a week.",
        "I asked three times and the {subject} did not answer.",
    ),
}
REMARKS = (
    *("", " It was on a Monday.", " My daughter was with me.", " That was on the second floor.", " I am 71."),
    *(" I had come by bus.", " It rained that day.", " The parking is free."),
)


@dataclass(frozen=True)
class Feedback:
    """A sentence and its label."""

    text: str
    label: Label


def feedback(number: int, seed: int) -> list[Feedback]:
    """Different sentences, half of them positive."""
    source = random.Random(seed)  # noqa: S311 - a seed always gives the same sentences
    by_label: list[list[Feedback]] = []
    for label, sentences in SENTENCES.items():
        candidates = [
            Feedback(sentence.format(subject=subject) + remark, label)
            for sentence in sentences
            for subject in SUBJECTS
            for remark in REMARKS
        ]
        by_label.append(source.sample(candidates, number // 2))
    return [item for pair in zip(*by_label, strict=True) for item in pair]
