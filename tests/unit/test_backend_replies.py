"""The reason phrase fits an HTTP status line."""

import pytest

from backend.replies import MAX_REASON, reason_phrase


@pytest.mark.parametrize(
    ("sentence", "phrase"),
    [
        ("Ollama is not reachable: start it", "Ollama is not reachable: start it"),
        ("two\nlines\r\nSet-Cookie: x", "two lines Set-Cookie: x"),
        ("a\ttab and  spaces ", "a tab and spaces"),
        ("model 'größe' 模型", "model 'gr??e' ??"),
        ("bell\x07 and nul\x00", "bell? and nul?"),
        ("", ""),
    ],
)
def test_a_sentence_becomes_one_line_of_printable_ascii(sentence: str, phrase: str) -> None:
    assert reason_phrase(sentence) == phrase


def test_a_long_sentence_is_cut_and_shows_it() -> None:
    phrase = reason_phrase("word " * 100)

    assert len(phrase) == MAX_REASON
    assert phrase.endswith("...")
