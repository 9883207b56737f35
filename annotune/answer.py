"""The answers that the backend gave."""

from datetime import UTC, datetime

from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Prediction
from annotune.prompt import Prompt
from annotune.question import Reply
from annotune.values import Value


class Answer(Value):
    """An answer that the backend gave: kept for every one, since who wrote a text cannot be known later.

    `prompt` is the text as written, `prompt_sha` that of the whole `Prompt`, `model_version` what Label Studio was told;
    `text` is in the form of `Labeling.answer`; `typed` where a person typed the prompt, and not where it was the
    project's; `place` the id of the region in which it was typed; `cut` where the token limit ended it. `lost`: that one
    was given is all that is known, since there was no room for it: prompt and text are empty.
    """

    project: int
    task: int
    prompt: str
    prompt_sha: str
    text: str
    model_version: str
    at: datetime
    typed: bool = False
    place: str = ""
    cut: bool = False
    lost: bool = False


def prefilled(labeling: Labeling, prompt: Prompt, reply: Reply, model_version: str) -> Prediction:
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
