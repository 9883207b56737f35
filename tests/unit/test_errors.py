"""What annotators are told of each error."""

import re

import pytest

from annotune import errors
from annotune.errors import AnnotuneError


def tree(root: type[AnnotuneError] = AnnotuneError) -> list[type[AnnotuneError]]:
    below = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [root, *(kind for child in below for kind in tree(child))]


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_the_sentence_for_annotators_names_no_host_no_model_and_no_setting(kind: type[AnnotuneError]) -> None:
    sentence = kind.for_annotators

    assert sentence.endswith(".")
    assert len(sentence) < 200
    assert not re.search(r"[A-Z]{2,}|_|http|Redis|Ollama|OpenAI|Label Studio|token", sentence)


def test_only_what_can_be_tried_again_says_how() -> None:
    once = {kind.__name__ for kind in tree() if errors.ASK_AGAIN not in kind.for_annotators}

    assert once == {
        *("RequestInvalid", "BodyTooLarge", "TooManyProjects", "PromptMissing"),
        *("LabelingInvalid", "PromptTooLong", "AnswerCut"),
    }
