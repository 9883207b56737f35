"""The answers that the backend gave."""

from datetime import datetime

from annotune.values import FrozenModel


class Answer(FrozenModel):
    """An answer that the backend gave. Every one is kept, because later nobody can tell who wrote a text.

    `prompt` is the text as written, `prompt_sha` the sha of the whole `Prompt`. `text` is in the form of
    `Labeling.answer`. `model_version` is the one that Label Studio got. `typed`: a person typed the prompt, in the region
    with the id `place`; else it was the project's. `cut`: the token limit ended the answer. `lost`: an answer was given,
    but there was no room to keep its prompt and text, which are empty.
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
