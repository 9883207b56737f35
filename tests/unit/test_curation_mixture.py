"""Annotations and rows of datasets together: who outranks whom, who is on which side, and what leaves."""

from collections.abc import Mapping, Sequence

import pytest

from annotune.chat import Message
from annotune.runs import DatasetRef
from annotune.split import SplitAssignment, SplitName, assign_splits, text_sha
from curation.example import Example, Origin
from curation.examples import ExampleSet
from curation.mixture import MOST_HELD_OUT, Mixture, mix
from curation.row_examples import RowExample
from curation.row_sets import RowSet

ENOUGH = 3
NAMES = (
    "Zorvaxil",
    "Quenolin",
    "Brastoxin",
    "Ilvemab",
    "Tarpinol",
    "Ossivane",
    "Kelmodin",
    "Fuvastat",
    "Dremol",
    "Yantivir",
)


def example(question: str, answer: str, number: int) -> Example:
    origin = Origin(
        project=4,
        task=max(number, 0),
        annotation=number,
        annotator=None,
        prompt_sha="p",
        kind="dataset" if number < 0 else "typed",
        dataset="facts" if number < 0 else "",
        content=f"content {number}",
    )
    return Example(messages=(Message("user", question),), answer=answer, question=question, origin=origin)


def annotated(train: Sequence[str] = (), held_out: Sequence[str] = (), wrong: Sequence[str] = ()) -> ExampleSet:
    examples = [example(text, "A person's.", number) for number, text in enumerate([*train, *held_out], 1)]
    return ExampleSet(
        train=tuple(examples[: len(train)]),
        held_out=tuple(examples[len(train) :]),
        left_out={"skipped": 1},
        newest=None,
        wrong_references=frozenset(text_sha(text) for text in wrong),
    )


def rows(*questions: str, side: SplitName | None = None, group: str = "", first: int = 1) -> RowSet:
    made = []
    for number, question in enumerate(questions, first):
        sha = text_sha(question)
        made.append(RowExample(example(question, "A row's.", -number), sha, group or sha, side))
    return RowSet(DatasetRef(source="facts"), "digest", len(made) + 2, tuple(made), {"empty": 2})


class Sides:
    """The recorded sides of a project."""

    def __init__(self, **recorded: SplitName) -> None:
        self.recorded: dict[str, SplitName] = {text_sha(text): side for text, side in recorded.items()}

    def pin(self, sides: Mapping[str, SplitName]) -> None:
        self.recorded = {**sides, **self.recorded}

    def assign(self, texts: Sequence[str], groups: Sequence[str]) -> SplitAssignment:
        made = assign_splits(self.recorded, texts, ENOUGH, has_trained=False, groups=groups)
        self.recorded |= made.new
        return made


def mixed(given: ExampleSet, *row_sets: RowSet, sides: Sides | None = None, with_annotations: bool = True) -> Mixture:
    sides = sides or Sides()
    return mix(given, row_sets, pin=sides.pin, assign=sides.assign, min_train=ENOUGH, with_annotations=with_annotations)


def questions(examples: Sequence[Example]) -> list[str]:
    return [each.question for each in examples]


def distinct(number: int) -> list[str]:
    """Questions of which no two are alike."""
    return [f"{NAMES[n % 10]} {n} {NAMES[n // 10 % 10]}{n}?" for n in range(number)]


def test_rows_are_divided_as_annotations_are_and_both_count() -> None:
    sides = Sides()
    given = annotated(train=distinct(4))

    found = mixed(given, rows(*distinct(24)[4:]), sides=sides)

    assert found.examples.lacks == ""
    assert len(found.examples.examples) == 24
    assert len(found.examples.held_out) == 5
    assert len(sides.recorded) == 24
    [told] = found.datasets
    assert (told.rows, told.trained + told.held_out, told.left_out) == (22, 20, {"empty": 2})
    assert found.examples.left_out == {"skipped": 1}
    again = mixed(given, rows(*distinct(24)[4:]), sides=sides)
    assert again == found


def test_a_persons_answer_outranks_a_rows() -> None:
    texts = distinct(20)

    found = mixed(annotated(train=texts[:3]), rows(f" {texts[0].upper()} ", *texts[1:]))

    assert {each.answer for each in found.examples.examples if each.question in texts[:3]} == {"A person's."}
    assert len(found.examples.examples) == 20
    assert found.datasets[0].left_out == {"annotated": 3, "empty": 2}


def test_of_two_rows_with_one_question_the_first_counts() -> None:
    texts = distinct(20)

    found = mixed(annotated(), rows(*texts), rows(*texts[:4], "Another one entirely?", first=100))

    assert found.datasets[1].left_out == {"double": 4, "empty": 2}
    assert len(found.examples.examples) == 21


def test_what_a_person_found_wrong_leaves() -> None:
    texts = distinct(20)

    found = mixed(annotated(wrong=texts[:2]), rows(*texts))

    assert not {*questions(found.examples.examples)} & {*texts[:2]}
    assert found.datasets[0].left_out == {"empty": 2, "wrong reference": 2}


def test_what_the_project_holds_out_never_trains_from_a_dataset() -> None:
    texts = distinct(30)
    sides = Sides(**dict.fromkeys(texts[:6], "eval"))

    found = mixed(annotated(), rows(*texts), sides=sides)

    assert {*questions(found.examples.held_out)} >= {*texts[:6]}
    assert not {*questions(found.examples.train)} & {*texts[:6]}


@pytest.mark.parametrize("with_annotations", [True, False])
def test_a_row_near_a_held_out_annotation_leaves(with_annotations: bool) -> None:
    texts = distinct(40)
    held = "How many milligrams of Zorvaxil should an adult patient be given in the morning after a meal with water?"
    near = "how many milligrams of zorvaxil should an adult patient be given in the morning after a meal with the water"
    sides = Sides(**dict.fromkeys([held, *texts[:5]], "eval"), **dict.fromkeys([near, *texts[5:]], "train"))

    found = mixed(annotated(held_out=[held]), rows(near, *texts), sides=sides, with_annotations=with_annotations)

    assert near not in questions(found.examples.examples)
    assert found.datasets[0].left_out == {"empty": 2, "near held out": 1}


def test_a_held_out_row_near_an_annotation_that_trains_leaves_and_the_annotation_stays() -> None:
    texts = distinct(40)
    ours = "How many milligrams of Zorvaxil should an adult patient be given in the morning after a meal with water?"
    near = f"{ours[:-1]}, please"
    sides = Sides(
        **{ours: "train", near: "eval"}, **dict.fromkeys(texts[:5], "eval"), **dict.fromkeys(texts[5:], "train")
    )

    found = mixed(annotated(train=[ours]), rows(near, *texts), sides=sides)

    assert ours in questions(found.examples.train)
    assert found.datasets[0].left_out == {"empty": 2, "near annotated": 1}


def test_a_folders_sides_are_kept_and_recorded() -> None:
    texts = distinct(20)
    sides = Sides()

    found = mixed(annotated(), rows(*texts[:12], side="train"), rows(*texts[12:], side="eval", first=50), sides=sides)

    assert questions(found.examples.train) == texts[:12]
    assert questions(found.examples.held_out) == texts[12:]
    assert sides.recorded == {text_sha(text): "train" if text in texts[:12] else "eval" for text in texts}


def test_a_side_that_is_recorded_outranks_a_folders() -> None:
    texts = distinct(20)
    sides = Sides(**{texts[0]: "eval", texts[19]: "train"})

    found = mixed(annotated(), rows(*texts[:12], side="train"), rows(*texts[12:], side="eval", first=50), sides=sides)

    assert texts[0] in questions(found.examples.held_out)
    assert texts[19] not in questions(found.examples.examples)
    assert found.datasets[1].left_out == {"empty": 2, "trained before": 1}


def test_rows_about_one_source_text_share_its_side() -> None:
    texts = distinct(60)

    found = mixed(
        annotated(), *(rows(*texts[n : n + 4], group=text_sha(f"s{n}"), first=n + 1) for n in range(0, 60, 4))
    )

    held_out = {*questions(found.examples.held_out)}
    assert held_out
    assert all(len(held_out & {*texts[n : n + 4]}) in {0, 4} for n in range(0, 60, 4))


def test_only_so_many_rows_are_held_out_as_are_needed() -> None:
    texts = distinct(MOST_HELD_OUT + 50)
    sides = Sides()

    found = mixed(
        annotated(), rows(*texts, side="eval"), rows(*distinct(400)[300:], side="train", first=999), sides=sides
    )

    assert len(found.examples.held_out) == MOST_HELD_OUT
    assert found.datasets[0].left_out == {"empty": 2, "surplus": 50}
    assert not {*questions(found.examples.train)} & {*texts}


def test_without_annotations_they_only_say_what_is_held_out() -> None:
    texts = distinct(30)
    sides = Sides(**{texts[0]: "eval", texts[1]: "train"})
    given = annotated(train=[texts[1]], held_out=[texts[0]])

    found = mixed(given, rows(*texts), sides=sides, with_annotations=False)

    assert {each.answer for each in found.examples.examples} == {"A row's."}
    assert texts[0] in questions(found.examples.held_out)
    assert texts[1] in questions(found.examples.train)
    assert found.examples.left_out == {}


@pytest.mark.parametrize(
    ("given", "number", "told"),
    [
        (annotated(train=["Only one annotation?"]), 3, "the annotations and datasets have 4"),
        (annotated(), 3, "the datasets have 3"),
    ],
)
def test_too_few_are_told(given: ExampleSet, number: int, told: str) -> None:
    takes = "it takes 8 usable examples (MIN_EXAMPLES + 5), and"

    assert mixed(given, rows(*distinct(number))).examples.lacks == f"{takes} {told}: add more"


def test_too_few_on_one_side_are_told() -> None:
    told = "to train on (MIN_EXAMPLES) and 5 that are held out, and the datasets have 20 and 2: add more"
    texts = distinct(22)

    found = mixed(annotated(), rows(*texts[:20], side="train"), rows(*texts[20:], side="eval", first=50))

    assert found.examples.lacks == f"it takes 3 usable examples {told}"
