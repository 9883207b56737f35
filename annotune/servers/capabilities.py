"""What a model server can do besides answering a chat."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """Stated by a server's adapter. Single models may still refuse what their server can do.

    `free`: a call costs no money. `counts_tokens`: an answer comes with the number of tokens of its prompt. `logprobs`: an
    answer can come with its tokens' log-probabilities. `schema`: an answer can be held to a JSON schema. `renders`: the
    server shows the text that it makes of a chat. `registry`: it can be asked which models it has.
    """

    free: bool
    counts_tokens: bool
    logprobs: bool
    schema: bool
    renders: bool
    registry: bool
