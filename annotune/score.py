"""How sure a model was of an answer, 0..1, from its log-probabilities; None where nothing is known."""

import math

from annotune.completion import Completion
from annotune.labeling import Labeling


def score(labeling: Labeling, completion: Completion) -> float | None:
    """The geometric mean probability of the answer's tokens, for free text."""
    if not completion.logprobs or completion.finish == "length" or not labeling.free_text:
        return None
    return math.exp(sum(token.logprob for token in completion.logprobs) / len(completion.logprobs))
