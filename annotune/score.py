"""How sure a model was of an answer, 0..1, from its log-probabilities; None where nothing is known.

Free text: the geometric mean probability of its tokens. Labels: the probability of the chosen label among those that the
config allows. Under structured output servers report the probabilities from before the grammar (Ollama 0.33), where most
of the mass may lie on what no answer could hold: so at each place of the label only the candidates that go on towards an
allowed label are weighed against each other.
"""

import json
import math
from collections.abc import Iterable, Sequence

from annotune.chat import Completion, Token
from annotune.labeling.config import Labeling
from annotune.labeling.controls import Control


def score(labeling: Labeling, completion: Completion) -> float | None:
    """How sure the model was; of several labels the least sure one counts. None for an answer that was cut."""
    tokens = completion.logprobs
    if not tokens or completion.finish == "length":
        return None
    if labeling.free_text:
        mean = _probability(sum(token.logprob for token in tokens) / len(tokens))
        return None if math.isnan(mean) else mean
    text = "".join(token.text for token in tokens)
    if text.strip() != completion.text.strip():  # a token that is half a letter, or thoughts that were taken out
        return None
    sure = [found for control in labeling.controls for found in _control(control, tokens, text)]
    return min(sure) if sure else None


def _control(control: Control, tokens: Sequence[Token], text: str) -> Iterable[float]:
    """How sure each label of one control is, where that can be told."""
    if not control.labels or control.schema.get("type") != "string":
        return
    begin = _value_at(control.name, text)
    if begin is None:
        return
    written = [json.dumps(label, ensure_ascii=False)[1:] for label in control.labels]  # with the quote that ends it
    chosen = [label for label in written if text.startswith(label, begin)]
    if len(chosen) == 1:
        found = _chosen(chosen[0], written, tokens, begin)
        if found is not None:
            yield found


def _value_at(name: str, text: str) -> int | None:
    """Where the text of a field's string begins, behind its quote."""
    key = f"{json.dumps(name, ensure_ascii=False)}"
    at = text.find(key)
    if at < 0 or text.find(key, at + 1) >= 0:
        return None
    colon = at + len(key)
    rest = text[colon:].lstrip()
    if not rest.startswith(":"):
        return None
    quote = text.index(":", colon) + 1
    while quote < len(text) and text[quote].isspace():
        quote += 1
    return quote + 1 if quote < len(text) and text[quote] == '"' else None


def _chosen(label: str, labels: Sequence[str], tokens: Sequence[Token], begin: int) -> float | None:
    """The probability of `label` among `labels`, along the tokens that write it from character `begin` on."""
    possible = list(labels)
    probability, at, weighed = 1.0, 0, False
    for token in tokens:
        start, at = at, at + len(token.text)
        if at <= begin:
            continue
        if len(possible) == 1:
            break
        before = _before(token, start, begin)  # what of the token stands before the label, such as its quote
        said = label[: max(0, start - begin)]
        mine = theirs = 0.0
        for piece, logprob in {**dict(token.others), token.text: token.logprob}.items():
            if not piece.startswith(before):
                continue
            so_far = said + piece[len(before) :]
            if len(so_far) == len(said):
                continue
            onwards = [each for each in possible if each.startswith(so_far) or so_far.startswith(each)]
            if onwards:
                likely = _probability(logprob)
                theirs += likely
                mine += likely if piece == token.text else 0.0
        if not theirs or math.isnan(theirs):
            return None
        probability *= mine / theirs
        weighed = True
        now = said + token.text[len(before) :]
        possible = [each for each in possible if each.startswith(now) or now.startswith(each)]
    return probability if weighed else None


def _before(token: Token, start: int, begin: int) -> str:
    return token.text[: max(0, begin - start)]


def _probability(logprob: float) -> float:
    """0..1, whatever a server says; not a number where it says so."""
    return math.exp(min(logprob, 0.0))
