"""How alike two answers are: texts by their edit distance, everything else exactly."""

import json
import re
from collections import Counter

from annotune.labeling.config import Labeling
from annotune.labeling.controls import TextArea

SAME_TEXT = 0.9
"""From this similarity on, two texts say the same: nine characters in ten are equal, and so is every number."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def edit_distance(before: str, after: str) -> int:
    """The fewest characters to insert, delete or replace (Levenshtein)."""
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - 50 ms, which a command that compares nothing saves

    return int(Levenshtein.distance(before, after))


def text_similarity(one: str, other: str) -> float:
    """From 0 to 1: 1 less the edit distance over the longer text's length, without regard to blanks."""
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - as above

    return float(Levenshtein.normalized_similarity(_plain(one), _plain(other)))


def same_text(one: str, other: str) -> bool:
    """Whether two texts say the same. Texts with different numbers do not, however alike they are: 40 mg is not 50 mg."""
    if _plain(one) == _plain(other):
        return True
    return _numbers(one) == _numbers(other) and text_similarity(one, other) >= SAME_TEXT


def same_answer(labeling: Labeling, one: str, other: str) -> bool:
    """Whether two answers in the form of `Labeling.answer` say the same: texts as `same_text`, all else exactly."""
    if one == other:
        return True
    if labeling.free_text:
        return same_text(one, other)
    first, second = _fields(one), _fields(other)
    if first is None or second is None or first.keys() != second.keys():
        return False
    texts = {control.name for control in labeling.controls if isinstance(control, TextArea)}
    return all(_same_field(value, second[name], is_text=name in texts) for name, value in first.items())


def _same_field(one: object, other: object, *, is_text: bool) -> bool:
    if is_text and isinstance(one, str) and isinstance(other, str):
        return same_text(one, other)
    return _exact(one) == _exact(other)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _numbers(text: str) -> Counter[str]:
    return Counter(_NUMBER.findall(text))


def _fields(answer: str) -> dict[str, object] | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _exact(value: object) -> object:
    """A list of labels is a set: the order of ticks says nothing."""
    return sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value
