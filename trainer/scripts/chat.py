"""The tokenizer and the chat template that training and serving share."""

from typing import Any

from job_protocol import JobError

TEMPLATE_COMMENT = (
    "{# This template is the one the model was trained with, and it is to be run as it stands. A model server "
    "that compares templates by edit distance with the ones it knows must find none that is near this one. #}"
)
"""Renders to nothing. It is longer than 100 edits: below that distance Ollama replaces a template by one of its own."""

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
    """The template with TEMPLATE_COMMENT at its end, once.

    Jinja drops a newline that ends a template, but keeps one before a comment. So that newline is removed first.
    """
    return template if template.endswith(TEMPLATE_COMMENT) else template.removesuffix("\n") + TEMPLATE_COMMENT


def render(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """The text of the messages, up to where the answer begins."""
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def as_served(tokenizer: Any, text: str) -> str:
    """A rendered text as llama.cpp's server shows it.

    The server removes a beginning-of-text token from the text where its tokenizer adds one itself, to avoid two.
    The number of tokens stays the same.
    """
    adds_bos = tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id
    return text.removeprefix(tokenizer.bos_token) if adds_bos else text


def set_template(tokenizer: Any, template: str) -> None:
    """Set the template that the model is trained and exported with. An empty one means the tokenizer's own."""
    template = template or tokenizer.chat_template or ""
    if not template:
        raise JobError("The base has no chat template: give the recipe one as `chat_template`.")
    tokenizer.chat_template = template
    before = [render(tokenizer, messages) for messages in SAMPLES]
    tokenizer.chat_template = with_comment(template)
    if [render(tokenizer, messages) for messages in SAMPLES] != before:
        raise JobError(
            "A comment at the end of the chat template changes what it renders: end the template with a tag."
        )
