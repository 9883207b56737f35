"""The answers that the backend gave."""

from datetime import datetime

from annotune.values import FrozenModel


class Answer(FrozenModel):
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
