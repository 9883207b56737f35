"""A score means something, or is none."""

import math
from pathlib import Path

import pytest

from annotune.chat import Completion, Token
from annotune.labeling.config import Labeling
from annotune.score import score

TRAFFIC = Path(__file__).resolve().parents[1] / "contract" / "ollama" / "traffic"
FREE = Labeling.parse('<View><Text name="t" value="$text"/><TextArea name="response" toName="t"/></View>')


def labeling(*values: str, more: str = "") -> Labeling:
    inside = "".join(f'<Choice value="{value}"/>' for value in values)
    return Labeling.parse(
        f'<View><Text name="t" value="$text"/><Choices name="label" toName="t">{inside}</Choices>{more}</View>'
    )


def token(text: str, probability: float, **others: float) -> Token:
    """`others`: by text, with `_` for a quote."""
    listed = {name.replace("_", '"'): value for name, value in others.items()}
    return Token(text, math.log(probability), tuple((name, math.log(value)) for name, value in listed.items()))


def completion(*tokens: Token, finish: str = "stop") -> Completion:
    text = "".join(one.text for one in tokens)
    return Completion(text, "m", 1, len(tokens), 0.0, finish, tokens)  # type: ignore[arg-type]


HEAD = (token('{"', 0.001), token("label", 0.9), token('":', 0.9), token(' "', 0.2))
TAIL = (token('"}', 0.9),)


def test_free_text_has_the_geometric_mean_of_its_tokens() -> None:
    assert score(FREE, completion(token("So", 0.5), token(".", 0.125))) == pytest.approx(0.25)


@pytest.mark.parametrize("finish", ["length"])
def test_a_cut_answer_has_none(finish: str) -> None:
    assert score(FREE, completion(token("So", 0.5), finish=finish)) is None


@pytest.mark.parametrize(("logprob", "sure"), [(5000.0, 1.0), (math.inf, 1.0), (-math.inf, 0.0), (math.nan, None)])
def test_a_probability_that_is_none_harms_nothing(logprob: float, sure: float | None) -> None:
    odd = Token("yes", logprob, (("no", -math.inf),))

    assert score(FREE, completion(odd)) == sure
    assert score(labeling("yes", "no"), completion(*HEAD, token('"', 1), odd, *TAIL)) in {1.0, None}


def test_without_probabilities_there_is_none() -> None:
    assert score(FREE, Completion("So", "m", 1, 1, 0.0, "stop")) is None


def test_a_label_is_weighed_against_the_other_labels_alone() -> None:
    chosen = token("Positive", 0.02, Positive=0.02, Negative=0.01, Sent=0.5, I=0.3)

    assert score(labeling("Positive", "Negative"), completion(*HEAD, chosen, *TAIL)) == pytest.approx(2 / 3)


def test_labels_that_begin_alike_are_weighed_where_they_part() -> None:
    first = token("Very", 0.5, Very=0.5, Not=0.25)
    second = token(" good", 0.3, **{" good": 0.3, " bad": 0.1, " much": 0.6})
    found = score(labeling("Very good", "Very bad", "Not"), completion(*HEAD, first, second, *TAIL))

    assert found == pytest.approx(2 / 3 * 3 / 4)


def test_a_label_that_begins_another_is_weighed_against_its_going_on() -> None:
    tokens = (*HEAD, token("Pain", 0.9, Pain=0.9), token('"}', 0.6, **{'"}': 0.6, "ful": 0.2}))

    assert score(labeling("Pain", "Painful"), completion(*tokens)) == pytest.approx(0.75)


def test_a_token_may_hold_the_quote_and_the_label_s_beginning() -> None:
    tokens = (
        token('{"label":', 1.0),
        token(' "Pos', 0.3, **{' "Pos': 0.3, ' "Neg': 0.1, " [": 0.4}),
        token('itive"}', 1.0),
    )

    assert score(labeling("Positive", "Negative"), completion(*tokens)) == pytest.approx(0.75)


def test_the_only_label_says_nothing() -> None:
    assert score(labeling("Positive"), completion(*HEAD, token("Positive", 0.5, Positive=0.5), *TAIL)) is None


def test_of_several_labels_the_least_sure_one_counts_and_text_does_not() -> None:
    more = (
        '<Choices name="place" toName="t"><Choice value="Ward"/><Choice value="Home"/></Choices>'
        '<TextArea name="why" toName="t"/>'
    )
    tokens = (
        *HEAD,
        token("Positive", 0.9, Positive=0.9, Negative=0.1),
        token('", "place": "', 0.001),
        token("Ward", 0.3, Ward=0.3, Home=0.2),
        token('", "why": "', 0.001),
        token("so", 0.001),
        *TAIL,
    )

    assert score(labeling("Positive", "Negative", more=more), completion(*tokens)) == pytest.approx(0.6)


def test_controls_that_are_no_single_label_have_none() -> None:
    several = Labeling.parse(
        '<View><Text name="t" value="$text"/><Choices name="label" toName="t" choice="multiple"><Choice value="A"/>'
        '<Choice value="B"/></Choices></View>'
    )

    assert (
        score(several, completion(token('{"label": ["', 0.5), token("A", 0.5, A=0.5, B=0.2), token('"]}', 0.5))) is None
    )


def test_tokens_that_are_not_the_answer_have_none() -> None:
    tokens = (*HEAD, token("Positive", 0.9, Positive=0.9, Negative=0.1), *TAIL)
    other = Completion('{"label": "Negative"}', "m", 1, 1, 0.0, "stop", tokens)

    assert score(labeling("Positive", "Negative"), other) is None


def test_a_label_with_a_quote_in_it_is_found_as_it_is_written() -> None:
    config = labeling("the &quot;good&quot; one", "bad")
    tokens = (*HEAD, token('the \\"good\\" one', 0.6, bad=0.2), *TAIL)

    assert score(config, completion(*tokens)) == pytest.approx(0.75)
