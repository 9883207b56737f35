import pytest

from embedded.formulary import Pair, formulary, general_knowledge


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_every_seed_gives_as_many_pairs_as_asked_for(seed: int) -> None:
    assert len(formulary(seed, 48)) == 48


def test_the_same_seed_gives_the_same_pairs() -> None:
    assert formulary(7) == formulary(7)


def test_another_seed_gives_other_pairs() -> None:
    assert not set(formulary(7)) <= set(formulary(8))


def test_no_question_comes_twice() -> None:
    questions = [pair.question for pair in formulary(7)]

    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("pair", [*formulary(7), *general_knowledge()], ids=lambda pair: pair.question)
def test_a_key_fact_is_part_of_its_answer(pair: Pair) -> None:
    assert pair.key.lower() in pair.answer.lower()


@pytest.mark.parametrize("pair", formulary(7), ids=lambda pair: pair.question)
def test_a_swapped_answer_lacks_the_key_fact(pair: Pair) -> None:
    assert pair.key not in pair.swapped_answer


def test_more_pairs_than_there_are_drugs_are_refused() -> None:
    with pytest.raises(ValueError, match="do not give"):
        formulary(7, 1000)
