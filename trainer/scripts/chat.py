"""The tokenizer and chat template that training and serving share."""

from typing import Any

from job_protocol import Refused

UNLIKE_ANY_KNOWN = (
    "{# This template is the one the model was trained with, and it is to be run as it stands. A model server "
    "that compares templates by edit distance with the ones it knows must find none that is near this one. #}"
)
"""Renders to nothing. Longer than the 100 edits within which Ollama takes a template for one of its own."""

SAMPLES: list[list[dict[str, str]]] = [
    [{"role": "user", "content": "Hello?"}],
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Goodbye?"},
    ],
]


def with_comment(template: str) -> str:
    """The template with the long comment at its end, once.

    Jinja drops a newline that ends a template, and would keep it before a comment: so it goes first.
    """
    return template if template.endswith(UNLIKE_ANY_KNOWN) else template.removesuffix("\n") + UNLIKE_ANY_KNOWN


def render(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """The text of these messages, up to where the answer begins."""
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def as_served(tokenizer: Any, text: str) -> str:
    """A rendered text as llama.cpp's server shows it.

    It takes a beginning-of-text off the start where its tokenizer puts one there by itself, so that there are
    not two. The number of tokens stays the same.
    """
    puts_one = tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id
    return text.removeprefix(tokenizer.bos_token) if puts_one else text


def give_template(tokenizer: Any, template: str) -> None:
    """Give the tokenizer the template it is trained and exported with; an empty one means its own."""
    template = template or tokenizer.chat_template or ""
    if not template:
        raise Refused("The base has no chat template: give the recipe one as `chat_template`.")
    tokenizer.chat_template = template
    before = [render(tokenizer, messages) for messages in SAMPLES]
    tokenizer.chat_template = with_comment(template)
    if [render(tokenizer, messages) for messages in SAMPLES] != before:
        raise Refused("The chat template renders otherwise with a comment at its end: end it with a tag.")
