"""The split: decided when there is enough, never changed, and what is missing told exactly."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from annotune.split import MIN_HELD_OUT, SplitAssignment, SplitName, assign_splits, split_of, text_sha
from embedded.formulary import formulary

FEWEST = 10
TAKES = FEWEST + MIN_HELD_OUT
TEXTS = [f"What is drug number {number} for?" for number in range(3000)]
WHO = (
    "A 54-year-old man",
    "Eine 71-jährige Frau",
    "Un enfant de 8 ans",
    "A pregnant woman (G2P1, 31 weeks)",
    "An athlete",
)
HAS = (
    "chest pain on exertion",
    "Fieber seit 3 Tagen (39,4 °C)",
    "une toux sèche",
    "HbA1c 9.1 %",
    "a rash 🔴 after amoxicillin",
)
SINCE = ("since this morning", "for two weeks", "after surgery", "every night", "on and off")
ASKS = ("What is the next step?", "Which drug is contraindicated?", "Was ist zu tun?", "Is 5 mg bd safe?", "Why?")


def notes(seed: int, number: int) -> list[str]:
    """So many different questions as a clinician may ask them."""
    every = [f"{who}: {has}, {since}. {asks}" for who in WHO for has in HAS for since in SINCE for asks in ASKS]
    return random.Random(seed).sample(every, number)  # noqa: S311 - repeatable is the point


def shas(texts: Sequence[str]) -> list[str]:
    return [text_sha(text) for text in texts]


def counted(found: SplitAssignment) -> tuple[int, int]:
    have = Counter(found.splits.values())
    return have["train"], have["eval"]


def by_hash(number: int, side: SplitName) -> list[str]:
    """So many shas that the hash alone puts on a side."""
    return [sha for sha in shas(TEXTS) if split_of(sha) == side][:number]


def test_about_one_in_six_hashes_is_held_out() -> None:
    share = sum(split_of(sha) == "eval" for sha in shas(TEXTS)) / len(TEXTS)

    assert 0.14 < share < 0.19


@pytest.mark.parametrize("variant", ["  {} ", "{}\n", "\t{}"])
def test_the_same_text_imported_again_has_the_same_sha(variant: str) -> None:
    assert shas(TEXTS) == [text_sha(variant.format(text).upper()) for text in TEXTS]


def test_the_hash_gives_the_sides_that_it_gave_before_sides_were_kept() -> None:
    assert [split_of(text_sha(text)) for text in ("a", "b", "", "é", "\ud800")] == [
        "train",
        "train",
        "train",
        "eval",
        "train",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_thirty_notes_are_enough_for_every_seed(seed: int) -> None:
    found = assign_splits({}, shas(notes(seed, 30)), FEWEST, has_trained=False)

    assert (found.missing, found.lacks, counted(found)) == (0, "", (25, 5))


@pytest.mark.parametrize("seed", range(20))
def test_thirty_questions_of_a_formulary_are_enough_for_every_seed(seed: int) -> None:
    found = assign_splits({}, shas([pair.question for pair in formulary(seed, 30)]), FEWEST, has_trained=False)

    assert (found.missing, counted(found)) == (0, (25, 5))


@pytest.mark.parametrize("seed", range(20))
def test_notes_that_come_one_by_one_train_from_the_fifteenth_on_and_none_changes_its_side(seed: int) -> None:
    texts = shas(notes(seed, 200))
    recorded: dict[str, SplitName] = {}
    for number in range(1, len(texts) + 1):
        found = assign_splits(recorded, texts[:number], FEWEST, has_trained=False)
        assert not set(found.new) & set(recorded)
        assert {sha: found.splits[sha] for sha in recorded} == recorded
        assert found.missing == max(0, TAKES - number)
        assert found.unassigned == (number if number < TAKES else 0)
        recorded |= found.new

    train, held_out = counted(found)
    assert 20 < held_out < 55
    assert train + held_out == 200


def test_what_is_held_out_first_are_the_lowest_hashes() -> None:
    texts = shas(TEXTS[:TAKES])
    found = assign_splits({}, texts, FEWEST, has_trained=False)

    assert [sha for sha in sorted(texts) if found.splits[sha] == "eval"] == sorted(texts)[:MIN_HELD_OUT]


@pytest.mark.parametrize(
    ("number", "fewest", "sides"),
    [
        (15, 10, (10, 5)),
        (35, 10, (30, 5)),
        (60, 10, (50, 10)),
        (105, 100, (100, 5)),
        (110, 100, (100, 10)),
        (6, 1, (1, 5)),
    ],
)
def test_of_many_at_once_one_in_six_is_held_out_as_far_as_enough_train(
    number: int, fewest: int, sides: tuple[int, int]
) -> None:
    assert counted(assign_splits({}, shas(TEXTS[:number]), fewest, has_trained=False)) == sides


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_deleted_and_submitted_the_number_that_is_told_is_enough(seed: int) -> None:
    """A random history: texts come and go, and come again, and MIN_EXAMPLES is changed."""
    dice = random.Random(seed)  # noqa: S311 - repeatable is the point
    texts, recorded, now = shas(TEXTS[:400]), dict[str, SplitName](), set[str]()
    for _ in range(30):
        now |= set(dice.sample(texts[:200], dice.randrange(12)))
        now -= set(dice.sample(sorted(now), dice.randrange(len(now) + 1) // 2))
        fewest = dice.choice([3, 10, 10, 10, 25])
        found = assign_splits(recorded, sorted(now), fewest, has_trained=False)
        assert {sha: found.splits[sha] for sha in now & recorded.keys()} == {
            sha: recorded[sha] for sha in now & recorded.keys()
        }
        recorded |= found.new
        train, held_out = counted(found)
        assert (found.missing <= 0) == (train >= fewest and held_out >= MIN_HELD_OUT)
        assert not (found.unassigned and found.missing <= 0)
        if found.missing > 0 and not found.by_hash:
            more = [sha for sha in texts[200:] if sha not in recorded][: found.missing]
            assert assign_splits(recorded, [*sorted(now), *more[1:]], fewest, has_trained=False).missing == 1
            assert assign_splits(recorded, [*sorted(now), *more], fewest, has_trained=False).missing == 0


def test_a_deployment_that_trained_by_the_hash_alone_goes_on_so() -> None:
    texts = shas(TEXTS[:40])
    first = assign_splits({}, texts, FEWEST, has_trained=True)
    later = assign_splits(first.splits, shas(TEXTS[:200]), FEWEST, has_trained=True)

    assert first.splits == {sha: split_of(sha) for sha in texts}
    assert later.splits == {sha: split_of(sha) for sha in shas(TEXTS[:200])}


def test_a_text_that_an_older_version_trained_on_is_never_held_out_though_it_was_away_at_the_upgrade() -> None:
    away, *others = by_hash(20, "train")
    held_out = by_hash(MIN_HELD_OUT, "eval")
    upgraded = assign_splits({}, [*others, *held_out], FEWEST, has_trained=True).splits
    back = assign_splits(upgraded, [*others, *held_out[1:], away], FEWEST, has_trained=True)

    assert back.splits[away] == "train"
    assert back.lacks == (
        "it takes 10 usable annotations to train on (MIN_EXAMPLES) and 5 that are held out, and there are 20 and 4: submit"
        " about 6 more"
    )


def test_a_deployment_that_never_trained_gets_the_new_split() -> None:
    unlucky = by_hash(30, "train")

    assert assign_splits({}, unlucky, FEWEST, has_trained=True).missing > 0
    assert counted(assign_splits({}, unlucky, FEWEST, has_trained=False)) == (25, 5)


def test_a_text_that_is_there_twice_counts_once_and_that_is_told() -> None:
    texts = shas(TEXTS[: TAKES - 1])

    assert assign_splits({}, [*texts, texts[0].upper().lower(), texts[1]], FEWEST, has_trained=False).lacks == (
        "it takes 15 usable annotations (MIN_EXAMPLES + 5), and there are 14 of different texts: submit 1 more"
    )


@pytest.mark.parametrize(
    ("number", "fewest", "told"),
    [
        (0, 20, "it takes 25 usable annotations (MIN_EXAMPLES + 5), and there are 0: submit 25 more"),
        (1, 10, "it takes 15 usable annotations (MIN_EXAMPLES + 5), and there is 1: submit 14 more"),
        (18, 20, "it takes 25 usable annotations (MIN_EXAMPLES + 5), and there are 18: submit 7 more"),
        (25, 20, ""),
    ],
)
def test_what_is_missing_is_told_as_a_number_of_annotations(number: int, fewest: int, told: str) -> None:
    assert assign_splits({}, shas(TEXTS[:number]), fewest, has_trained=False).lacks == told


def test_what_is_missing_on_one_side_is_told_so() -> None:
    texts = shas(TEXTS[:60])
    recorded = assign_splits({}, texts, FEWEST, has_trained=False).splits
    left = [sha for sha in texts if recorded[sha] == "eval"] + [sha for sha in texts if recorded[sha] == "train"][:7]

    assert assign_splits(recorded, left, FEWEST, has_trained=False).lacks == (
        "it takes 10 usable annotations to train on (MIN_EXAMPLES) and 5 that are held out, and there are 7 and 10: submit 3"
        " more"
    )


def grouped(sizes: Sequence[int]) -> tuple[list[str], list[str]]:
    """The shas of so many texts for each group, and of their groups."""
    names = [f"group {number}" for number, size in enumerate(sizes) for _ in range(size)]
    return shas([f"{name}, text {place}" for place, name in enumerate(names)]), shas(names)


@pytest.mark.parametrize("seed", range(20))
def test_the_texts_of_a_group_are_on_one_side_and_stay_there(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable is the point
    texts, groups = grouped([chance.randint(1, 6) for _ in range(40)])
    recorded: dict[str, SplitName] = {}
    for number in range(1, len(texts) + 1):
        found = assign_splits(recorded, texts[:number], FEWEST, has_trained=False, groups=groups[:number])
        assert {sha: found.splits[sha] for sha in recorded if sha in texts} == {
            sha: side for sha, side in recorded.items() if sha in texts
        }
        recorded |= found.new

    sides = {
        group: {recorded[text] for text, own in zip(texts, groups, strict=True) if own == group} for group in groups
    }
    assert all(len(each) == 1 for each in sides.values())
    assert {recorded[group] for group in groups} == {"train", "eval"}


def test_without_groups_and_with_each_text_its_own_all_is_as_ever() -> None:
    texts = shas(TEXTS[:200])

    assert assign_splits({}, texts, FEWEST, has_trained=False) == assign_splits(
        {}, texts, FEWEST, has_trained=False, groups=texts
    )


def test_a_recorded_text_keeps_its_side_and_the_new_ones_of_its_group_follow() -> None:
    texts, groups = grouped([3, 3])
    recorded: dict[str, SplitName] = {texts[0]: "eval", texts[3]: "train"}

    found = assign_splits(recorded, texts, FEWEST, has_trained=False, groups=groups)

    assert [found.splits[text] for text in texts] == ["eval"] * 3 + ["train"] * 3
    assert (found.new[groups[0]], found.new[groups[3]]) == ("eval", "train")


def test_a_group_that_has_trained_holds_out_nothing_new() -> None:
    """Two texts of one source may have been recorded on two sides before sources were known."""
    texts, groups = grouped([3])
    recorded: dict[str, SplitName] = {texts[0]: "eval", texts[1]: "train"}

    found = assign_splits(recorded, texts, FEWEST, has_trained=False, groups=groups)

    assert [found.splits[text] for text in texts] == ["eval", "train", "train"]


def test_the_group_of_a_deleted_text_keeps_its_side() -> None:
    texts, groups = grouped([4] * 10)
    first = assign_splits({}, texts, FEWEST, has_trained=False, groups=groups)
    later = shas(["a new question"])

    for group in set(groups):
        found = assign_splits(dict(first.new), later, FEWEST, has_trained=True, groups=[group])
        assert found.splits[later[0]] == first.new[group]


def test_a_text_that_two_sources_share_joins_them() -> None:
    texts, groups = grouped([5, 5, 5, 5])
    shared = shas(["What is it about?"]) * 2

    found = assign_splits({}, [*texts, *shared], 10, has_trained=False, groups=[*groups, groups[0], groups[5]])

    assert {found.splits[text] for text in (*texts[:10], shared[0])} == {found.splits[texts[0]]}
    assert set(found.splits.values()) == {"train", "eval"}


def test_what_cannot_be_divided_is_told() -> None:
    texts, groups = grouped([20])

    found = assign_splits({}, texts, FEWEST, has_trained=False, groups=groups)

    assert (found.new, found.missing > 0) == ({}, True)
    assert found.lacks == (
        "20 usable annotations are about 1 source text, and those about one text are all trained on or all held out:"
        " submit some about other source texts"
    )


def test_a_project_that_trained_before_sides_were_kept_goes_by_its_texts_first() -> None:
    texts, groups = grouped([4] * 10)

    found = assign_splits({}, texts, FEWEST, has_trained=True, groups=groups)

    assert found.splits == {text: split_of(text) for text in texts}
