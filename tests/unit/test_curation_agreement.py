"""Agreement: alpha as published and as the reference library has it, texts by their similarity, and what is undefined."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import krippendorff
import pytest

from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from curation.agreement import (
    NO_OVERLAP,
    NOBODY,
    ONE_ANSWER,
    ONE_PERSON,
    ControlAgreement,
    NominalTally,
    measure_agreement,
)

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA, BEN, CYD = 1, 2, 3
# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units.
PUBLISHED = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="response" toName="chat"/>
<Choices name="kind" toName="chat" choice="single"><Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices>
<Choices name="tags" toName="chat" choice="multiple"><Choice value="x"/><Choice value="y"/></Choices></View>"""


def alpha(*observers: str) -> float | None:
    tally = NominalTally()
    for unit in zip(*(line.split() for line in observers), strict=True):
        tally.add([value for value in unit if value != "."])
    return tally.value


def test_the_published_example_has_its_published_alpha() -> None:
    assert alpha(*PUBLISHED) == pytest.approx(0.743, abs=0.0005)


@pytest.mark.parametrize(
    ("observers", "by_hand"),
    [
        (("a b a b", "a b a b"), 1),
        (("a b", "b a"), 1 - 3 * 4 / 8),
        (("a a a b", "a a b b"), 1 - 7 * 2 / 30),
        (("a b .", "a b ."), 1),
    ],
    ids=["perfect", "opposite", "one of four differs", "what one alone answered does not count"],
)
def test_alpha_by_hand(observers: tuple[str, ...], by_hand: float) -> None:
    assert alpha(*observers) == pytest.approx(by_hand)


@pytest.mark.parametrize("seed", range(40))
def test_alpha_is_that_of_the_reference_library(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable is the point
    units = [[chance.choice([None, *range(4)]) for _ in range(chance.randint(2, 5))] for _ in range(30)]
    width = max(map(len, units))
    padded = [[*unit, *[None] * (width - len(unit))] for unit in units]
    tally = NominalTally()
    for unit in units:
        tally.add([str(value) for value in unit if value is not None])

    table = [[math.nan if value is None else float(value) for value in row] for row in zip(*padded, strict=True)]
    assert tally.value == pytest.approx(krippendorff.alpha(table, level_of_measurement="nominal"))


def answered(annotator: int, *, minute: int = 0, skipped: bool = False, **given: Any) -> AnnotationRow:
    regions = [
        {"from_name": name, "value": {"text": [value]} if name == "response" else {"choices": value}}
        for name, value in given.items()
    ]
    at = START + timedelta(minutes=minute)
    return AnnotationRow(
        id=minute * 10 + annotator,
        result=tuple(regions),
        was_cancelled=skipped,
        created_at=at,
        updated_at=at,
        completed_by=annotator,
    )


def measured(*tasks: list[AnnotationRow]) -> dict[str, ControlAgreement]:
    rows = [TaskRow(id=number, data={}, annotations=tuple(each)) for number, each in enumerate(tasks)]
    return {each.control: each for each in measure_agreement(4, rows, Labeling.parse(CONFIG)).controls}


def test_each_two_annotators_are_compared_where_both_answered() -> None:
    kind = measured(
        [answered(ADA, kind=["a"]), answered(BEN, kind=["a"]), answered(CYD, kind=["b"])],
        [answered(ADA, kind=["b"]), answered(BEN, kind=["b"])],
        [answered(CYD, kind=["b"])],
    )["kind"]

    assert kind.tasks == 2
    assert [(pair.first, pair.second, pair.tasks, pair.value) for pair in kind.pairs] == [
        (ADA, BEN, 2, 1.0),
        (ADA, CYD, 1, 0.0),
        (BEN, CYD, 1, 0.0),
    ]


def test_texts_have_their_mean_similarity_and_no_alpha() -> None:
    response = measured(
        [answered(ADA, response="40 mg"), answered(BEN, response=" 40  mg ")],
        [answered(ADA, response="40 mg 💊"), answered(BEN, response="50 mg 💊")],
    )["response"]

    assert (response.measure, response.tasks) == ("similarity", 2)
    assert response.value == pytest.approx((1 + 6 / 7) / 2)


def test_several_labels_are_one_answer_and_none_ticked_is_one_too() -> None:
    tags = measured(
        [answered(ADA, tags=["x", "y"]), answered(BEN, tags=["y", "x"])],
        [answered(ADA, kind=["a"]), answered(BEN, tags=["x"])],
    )["tags"]

    assert (tags.tasks, tags.value) == (2, alpha("xy none", "xy x"))


def test_the_latest_annotation_of_a_person_counts_and_a_skip_does_not() -> None:
    kind = measured(
        [answered(ADA, kind=["b"]), answered(ADA, kind=["a"], minute=1), answered(BEN, kind=["a"])],
        [answered(ADA, kind=["b"]), answered(BEN, kind=["b"]), answered(BEN, kind=["c"], skipped=True, minute=2)],
    )["kind"]

    assert kind.value == 1


UNDEFINED = {
    "nobody": ([], NOBODY),
    "one annotator": ([[answered(ADA, kind=["a"])], [answered(ADA, kind=["b"])]], ONE_PERSON),
    "no overlap": ([[answered(ADA, kind=["a"])], [answered(BEN, kind=["b"])]], NO_OVERLAP),
    "one label only": ([[answered(ADA, kind=["a"]), answered(BEN, kind=["a"])]], ONE_ANSWER),
}


@pytest.mark.parametrize(("tasks", "why"), UNDEFINED.values(), ids=UNDEFINED.keys())
def test_what_is_undefined_is_told_in_words(tasks: list[list[AnnotationRow]], why: str) -> None:
    kind = measured(*tasks)["kind"]

    assert (kind.value, kind.why) == (None, why)
