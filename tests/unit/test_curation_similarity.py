"""Near-duplicates of questions: what is one question, and what only looks like it."""

import subprocess
import sys
from pathlib import Path

import pytest

from curation.similarity import CLUSTER, SimilarityIndex, Text, common_words

ROOT = Path(__file__).resolve().parents[2]
LONG = (
    "In a patient who has been on the ward for two weeks, what is the recommended starting dose of {} for adults with a"
    " urinary infection and normal renal function, and how long should it be given in all?"
)
CEFIXIME = LONG.format("cefixime")


def index_of(*texts: str) -> SimilarityIndex:
    index = SimilarityIndex()
    for key, text in enumerate(texts):
        index.add(key, text)
    return index


@pytest.mark.parametrize(
    "text",
    [
        CEFIXIME.upper(),
        CEFIXIME.rstrip("?"),
        f"  {CEFIXIME.replace(' ', '  ')}\n",
        CEFIXIME.replace("urinary infection", "“urinary-infection”"),
        CEFIXIME.replace("what is", "\uff37hat is"),
        CEFIXIME.replace("in all?", "in all, please?"),
        CEFIXIME.replace("renal function", "renal functions"),
    ],
)
def test_the_same_question_in_other_dress_is_a_duplicate(text: str) -> None:
    index = index_of(CEFIXIME)

    assert index.duplicate(text) == 0
    assert [near.is_duplicate for near in index.near(text)] == [True]


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        (LONG.format("cefuroxime"), ("cefixime", "cefuroxime")),
        (CEFIXIME.replace("and normal", "without normal"), ("without",)),
        (CEFIXIME.replace("adults", "children"), ("adult", "children")),
    ],
)
def test_a_question_with_another_rare_word_is_similar_and_no_duplicate(text: str, differs: tuple[str, ...]) -> None:
    (near,) = index_of(CEFIXIME).near(text)

    assert (near.key, near.is_duplicate, near.differs) == (0, False, differs)
    assert near.similarity == pytest.approx(Text.of(text).similarity(Text.of(CEFIXIME)))
    assert index_of(CEFIXIME).duplicate(text) is None


@pytest.mark.parametrize(("first", "second"), [("10 mg", "20 mg"), ("0.5 mg", "5 mg"), ("vitamin B12", "vitamin B6")])
def test_a_number_makes_another_question(first: str, second: str) -> None:
    texts = [LONG.format(first), LONG.format(second)]
    many = SimilarityIndex(common_words(texts * 50))
    many.add(0, texts[0])

    assert many.duplicate(texts[1]) is None
    assert many.near(texts[1])[0].differs


def test_two_rare_words_that_change_places_make_another_question() -> None:
    frame = "In adults who were treated in a hospital for longer than two weeks and who had at least one other disease"
    frame += " at the time that they were first seen by a specialist of the field, as their records of that day say, {}"
    frame += " and that in most of the patients who had been observed over the course of ten years by the same doctors"
    first, second = frame.format("does fever cause pain"), frame.format("does pain cause fever")

    (near,) = index_of(first).near(second)

    assert not near.is_duplicate
    assert {"fever", "pain"} <= set(near.differs)


def test_a_word_that_most_texts_have_makes_no_other_question() -> None:
    others = [f"Welche Wirkung hat der Stoff {number} auf die Leber" for number in range(30)]
    first = "Welche Wirkung hat der Stoff Metformin auf die Leber von alten Menschen mit Diabetes und Gicht und Fieber"
    second = first.removeprefix("Welche ")
    told = SimilarityIndex(common_words([*others, first]))
    told.add(0, first)

    assert told.duplicate(second) == 0
    assert index_of(first).duplicate(second) is None


@pytest.mark.parametrize("text", ["", "?", "Dose", "Which dose", "Which dose?"])
def test_short_texts_are_like_equal_ones_alone(text: str) -> None:
    index = index_of("Which dose of aspirin?", "aspirin", "!", text)

    assert index.near(text)[0].key == 3
    assert [near.key for near in index_of("Which dose of aspirin?", "aspirin", "!").near(text)] == []


def test_accents_vowel_signs_and_letters_without_blanks_tell_texts_apart() -> None:
    assert Text.of("कि का").words == ("कि", "का")
    assert Text.of("糖尿病の薬").words == ("糖", "尿", "病", "の", "薬")
    assert Text.of("e\u0301te\u0301 B12 1.5\u202fmg ½").words == ("été", "b", "12", "1.5", "mg", "1", "2")
    assert Text.of("\ud800 lone").words == ("lone",)


def test_the_first_of_equal_texts_keeps_its_key() -> None:
    index = index_of("What is it for?", "what is it, for", "What is it for?")

    assert index.duplicate("WHAT IS IT FOR") == 0
    assert len(index.near("What is it for?")) == 1


def test_a_large_cluster_of_similar_texts_is_told_in_part() -> None:
    index = index_of(*(LONG.format(f"substance number {number}") for number in range(5 * CLUSTER)))

    found = index.near(LONG.format("substance number 1000"))

    assert 0 < len(found) <= 2 * CLUSTER
    assert index.duplicate(LONG.format("substance number 77")) == 77


def test_another_process_finds_the_same() -> None:
    script = (
        "from curation.similarity import SimilarityIndex\n"
        "index = SimilarityIndex()\n"
        f"frame = {LONG!r}\n"
        "for key in range(60): index.add(key, frame.format(f'drug {key % 40} of {key % 7}'))\n"
        "print([index.near(frame.format(f'drug {key} of 3')) for key in range(60)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(outputs) == 1
    assert "Near(" in outputs.pop()
