"""Thinking models: what they think is never the answer."""

from annotune.errors import AnswerRefused

OPENS, CLOSES = "<think>", "</think>"


def without_thoughts(text: str, *, cut: bool) -> str:
    """The answer without the thoughts that a server left in it (vLLM and llama-server may, by their settings).

    `cut`: the answer was ended by the token limit.

    Raises:
        AnswerRefused: the thoughts used up the tokens.
    """
    begun = text.lstrip()
    if not begun.startswith(OPENS):
        return text
    thoughts, closed, answer = begun.partition(CLOSES)
    if closed:
        return answer.lstrip()
    if cut:
        raise AnswerRefused("the model was still thinking when its tokens ran out: raise MAX_TOKENS, or unset THINKING")
    return thoughts  # no end and not cut: it writes about the tag
