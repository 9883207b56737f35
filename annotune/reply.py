"""A model's reply to a question, and the prediction and answers made of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from annotune.answer import Answer
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Prediction, Region
from annotune.prompt import Prompt


@dataclass(frozen=True)
class Reply:
    """A model's reply to a question.

    `texts` are its answers, in the form of `Labeling.answer`. `score` is 0..1, None if it is not known. `cut`: `max_tokens`
    ended an answer.
    """

    regions: tuple[Region, ...]
    texts: tuple[str, ...]
    score: float | None
    cut: bool


def build_prediction(labeling: Labeling, prompt: Prompt, reply: Reply, model_version: str) -> Prediction:
    """A prediction to store: the prompt as written in its control, where the config has one, and the answer.

    Raises:
        LabelingInvalid: a region does not fit the config.
    """
    control = labeling.prompt_control
    shown = [labeling.text_region(control, [prompt.text])] if control else []
    return labeling.check(Prediction((*shown, *reply.regions), model_version, reply.score))


def answers_given(
    project: int, task: int, prompt: Prompt, reply: Reply, model_version: str, *, place: str | None = None
) -> list[Answer]:
    """The log's entries: one for each text, and one for several as a control shows them together.

    `place`: the id of the region in which a person typed the prompt; None where it was the project's.
    """
    texts = reply.texts if len(reply.texts) == 1 else (*reply.texts, "\n".join(reply.texts))
    return [
        Answer(
            project=project,
            task=task,
            prompt=prompt.text,
            prompt_sha=prompt.sha,
            text=text,
            model_version=model_version,
            at=datetime.now(UTC),
            typed=place is not None,
            place=place or "",
            cut=reply.cut,
        )
        for text in texts
    ]
