"""Thoughts of thinking models, which are no part of an answer."""

from annotune.errors import AnswerCut, AnswerRefused

OPENS, CLOSES = "<think>", "</think>"


def without_thoughts(text: str, *, cut: bool, think: bool = False) -> str:
    """The answer without the thoughts that a server left in it: vLLM and llama-server may, by their settings.

    `cut`: the token limit ended the answer. `think`: the model was asked to think. Then thoughts may also begin without
    their opening mark, because the chat template has written it.

    Raises:
        AnswerCut: the token limit ended the thoughts.
        AnswerRefused: there are thoughts and no answer.
    """
    stripped = text.lstrip()
    if not stripped.startswith(OPENS) and not (think and CLOSES in stripped):
        return text
    _, closed, answer = stripped.partition(CLOSES)
    if closed:
        return answer.lstrip()
    if cut:
        raise AnswerCut("the model was still thinking when its tokens ran out: raise MAX_TOKENS, or unset THINKING")
    raise AnswerRefused("the model thought and gave no answer: try again, or unset THINKING")
