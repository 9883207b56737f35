"""How sure a model was of an answer, 0..1, from log-probabilities.

Free text: the geometric mean of its tokens' probabilities. Labels: the probability of the chosen label among those that
the config allows.

Under structured output, servers report the probabilities from before the grammar (Ollama 0.33). Most of that mass may lie
on tokens that no answer can hold. So at each place only candidates that go on towards an allowed label are compared.
"""

import json
import math
from collections.abc import Iterable, Sequence

from annotune.chat import Completion, Token
from annotune.labeling.config import Labeling
from annotune.labeling.controls import Control


def score(labeling: Labeling, completion: Completion) -> float | None:
    """The score of an answer; of several labels, that of the least sure one.

    None: the answer was cut, or has no log-probabilities that can be used.
    """
    tokens = completion.logprobs
    if not tokens or completion.finish == "length":
        return None
    if labeling.free_text:
        mean = _probability(sum(token.logprob for token in tokens) / len(tokens))
        return None if math.isnan(mean) else mean
    text = "".join(token.text for token in tokens)
    if text.strip() != completion.text.strip():  # a token is half a letter, or thoughts were taken out
        return None
    scores = [found for control in labeling.controls for found in _label_scores(control, tokens, text)]
    return min(scores) if scores else None


def _label_scores(control: Control, tokens: Sequence[Token], text: str) -> Iterable[float]:
    """The score of the label that `text` gives to a control, if it can be told."""
    if not control.labels or control.schema.get("type") != "string":
        return
    begin = _string_start(control.name, text)
    if begin is None:
        return
    labels = [json.dumps(label, ensure_ascii=False)[1:] for label in control.labels]  # each with its closing quote
    chosen = [label for label in labels if text.startswith(label, begin)]
    if len(chosen) == 1:
        found = _label_probability(chosen[0], labels, tokens, begin)
        if found is not None:
            yield found


def _string_start(name: str, text: str) -> int | None:
    """Where the string of a JSON field begins, after its opening quote. None: that is not certain."""
    key = json.dumps(name, ensure_ascii=False)
    at = text.find(key)
    if at < 0 or text.find(key, at + 1) >= 0:
        return None
    after_key = at + len(key)
    if not text[after_key:].lstrip().startswith(":"):
        return None
    quote = text.index(":", after_key) + 1
    while quote < len(text) and text[quote].isspace():
        quote += 1
    return quote + 1 if quote < len(text) and text[quote] == '"' else None


def _label_probability(label: str, labels: Sequence[str], tokens: Sequence[Token], begin: int) -> float | None:
    """The probability of `label` among `labels`. None: the tokens do not tell.

    The tokens write the whole answer, and the label from its character `begin` on.
    """
    possible = list(labels)
    probability, end, compared = 1.0, 0, False
    for token in tokens:
        start, end = end, end + len(token.text)
        if end <= begin:
            continue
        if len(possible) == 1:
            break
        prefix = token.text[: max(0, begin - start)]  # the part of the token before the label, such as a quote
        written = label[: max(0, start - begin)]
        share = _share(token, prefix, written, possible)
        if share is None:
            return None
        probability *= share
        compared = True
        written += token.text[len(prefix) :]
        possible = [each for each in possible if _agree(each, written)]
    return probability if compared else None


def _share(token: Token, prefix: str, written: str, possible: Sequence[str]) -> float | None:
    """A token's probability among the candidates at its place that go on from `written` towards a possible label.

    `prefix`: the part of the token before the label. None: no candidate does, or a server's number is none.
    """
    chosen = total = 0.0
    for text, logprob in {**dict(token.others), token.text: token.logprob}.items():
        longer = written + text[len(prefix) :]
        if not text.startswith(prefix) or len(longer) == len(written):
            continue
        if any(_agree(label, longer) for label in possible):
            total += _probability(logprob)
            chosen += _probability(logprob) if text == token.text else 0.0
    return None if not total or math.isnan(total) else chosen / total


def _agree(label: str, beginning: str) -> bool:
    return label.startswith(beginning) or beginning.startswith(label)


def _probability(logprob: float) -> float:
    """0..1, for any number that a server sends; NaN for NaN."""
    return math.exp(min(logprob, 0.0))
