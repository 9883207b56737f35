"""What is kept of a reply: the prediction that Label Studio stores, and the answers that the log holds."""

from datetime import UTC, datetime

from annotune.example import Answer
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Prediction
from annotune.prompt import Prompt
from annotune.question import Reply


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
