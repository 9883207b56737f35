"""Thinking models: what they think is never the answer."""

from annotune.errors import AnswerCut, AnswerRefused

OPENS, CLOSES = "<think>", "</think>"


def without_thoughts(text: str, *, cut: bool, think: bool = False) -> str:
    """The answer without the thoughts that a server left in it (vLLM and llama-server may, by their settings).

    `cut`: the answer was ended by the token limit. `think`: the model was asked to think; then thoughts may also begin
    without a mark, where the chat template has written it.

    Raises:
        AnswerCut: the token limit ended the thoughts.
        AnswerRefused: there are thoughts without an answer.
    """
    begun = text.lstrip()
    if not begun.startswith(OPENS) and not (think and CLOSES in begun):
        return text
    _, closed, answer = begun.partition(CLOSES)
    if closed:
        return answer.lstrip()
    if cut:
        raise AnswerCut("the model was still thinking when its tokens ran out: raise MAX_TOKENS, or unset THINKING")
    raise AnswerRefused("the model thought and gave no answer: try again, or unset THINKING")
