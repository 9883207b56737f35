"""How alike two answers are."""

import json

import pytest

from annotune.labeling.config import Labeling
from curation.likeness import edit_distance, same_answer, same_text, text_similarity

LONG = "Give 40 mg once a day in the morning, with food, and check the kidneys after a month."
BOTH = """<View><Text name="chat" value="$q"/><TextArea name="response" toName="chat"/>
<Choices name="tags" toName="chat" choice="multiple"><Choice value="x"/><Choice value="y"/></Choices></View>"""


@pytest.mark.parametrize(
    ("before", "after", "distance"),
    [("40 mg", "40 mg", 0), ("40 mg", "50 mg", 1), ("", "💊", 1), ("kitten", "sitting", 3)],
)
def test_the_edit_distance_counts_characters(before: str, after: str, distance: int) -> None:
    assert edit_distance(before, after) == distance


def test_blanks_are_no_difference() -> None:
    assert text_similarity(" 40\n mg ", "40 mg") == 1


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (LONG.replace("morning", "evening"), True),
        (LONG.replace("40", "80"), False),
        (LONG.replace("40 mg", "40.5 mg"), False),
        (f"{LONG} {LONG}", False),
        ("", False),
    ],
)
def test_texts_say_the_same_if_they_are_alike_and_have_the_same_numbers(other: str, same: bool) -> None:
    assert same_text(LONG, other) is same
    assert same_text(other, LONG) is same


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"response": LONG[:-1], "tags": ["y", "x"]}, True),
        ({"response": LONG, "tags": ["x"]}, False),
        ({"response": "No.", "tags": ["x", "y"]}, False),
        ({"tags": ["x", "y"]}, False),
    ],
)
def test_of_several_controls_each_must_agree(other: dict[str, object], same: bool) -> None:
    one = json.dumps({"response": LONG, "tags": ["x", "y"]})

    assert same_answer(Labeling.parse(BOTH), one, json.dumps(other)) is same


def test_what_is_no_object_agrees_with_nothing() -> None:
    assert not same_answer(Labeling.parse(BOTH), "[]", "[1]")
