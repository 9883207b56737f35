"""Two hundred hostile prompts over tasks that are hostile themselves: the text stays literal, the output bounded."""

import random

import pytest

from annotune.errors import RequestInvalid
from annotune.prompt import LONGEST, Prompt

SEED, NUMBER = 5, 200
BY_HAND = [
    "{text.__class__.__mro__}",
    "{text.__init__.__globals__[settings]}",
    "{x:>99999999}",
    "{text!r:>999999999}",
    "{text:{text}}",
    "{{text.secret}}",
    "{" * 100_000,
    "}{" * 50_000,
    "\0{\0text\0}\0",
    "{te\u200bxt} {\uff54\uff45\uff58\uff54} \U0001f600\u202e",
    "{text\n}",
    "%(text)s ${text.x} #{text.x} <%= text %>",
    "x" * 1_000_000,
]
PIECES = [
    "{", "}", "{{", "}}", "text", ".__class__", ".secret", "[0]", "!r", "!s", ":>99999999", ":{text.x}", "\0", "\u202e",
    "\ud7ff", "\U0001f600", "%s", "$", "\\1", "\\g<0>", " ", "\n", "0", "__", "é",
]  # fmt: skip
TASKS: list[dict[str, object]] = [
    {"question": "{text} {prompt} {labels} {question}"},
    {"question": "{text.__class__} {x:>99999999}", "x": "{prompt}", "__class__": "{text}"},
    {"question": ["{text}", {"{text}": "{prompt}"}], "text": "{prompt}", "labels": None},
]
VALUE = "{prompt} {question} \\g<0> %s"


class Guarded(str):
    """A text that tells when it is formatted, or an attribute of no text is read."""

    __slots__ = ()

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"read {name}")

    def __format__(self, spec: str) -> str:
        raise AssertionError(f"formatted with {spec}")


def hostile() -> list[str]:
    chance = random.Random(SEED)  # noqa: S311 - no secret
    made = ["{" + "".join(chance.choices(PIECES, k=chance.randint(2, 30))) for _ in range(NUMBER - len(BY_HAND))]
    return BY_HAND + made


def test_there_are_two_hundred_of_them() -> None:
    assert len(set(hostile())) == NUMBER


@pytest.mark.parametrize("data", TASKS)
@pytest.mark.parametrize("number", range(NUMBER))
def test_a_hostile_prompt_stays_literal_over_a_hostile_task(number: int, data: dict[str, object]) -> None:
    prompt = hostile()[number]
    (message,) = Prompt(prompt).render(data, text=Guarded(VALUE))

    assert message.content == prompt.replace("{text}", VALUE)


@pytest.mark.parametrize("data", TASKS)
@pytest.mark.parametrize("number", range(NUMBER))
def test_the_same_as_a_value_is_never_read(number: int, data: dict[str, object]) -> None:
    value = hostile()[number]
    (message,) = Prompt("T: {text}").render(data, text=Guarded(value))

    assert message.content == f"T: {value!s}"


@pytest.mark.parametrize(("prompt", "template"), [("{text}" * 10_000, "{prompt}"), ("{text}", "{prompt}" * 10_000)])
def test_a_bomb_of_placeholders_is_refused_before_it_is_made(prompt: str, template: str) -> None:
    with pytest.raises(RequestInvalid, match=f"10000000000 characters.*limit of {LONGEST}"):
        Prompt(prompt, template).render({}, text="x" * 1_000_000)


def test_a_prompt_of_the_greatest_length_is_rendered() -> None:
    (message,) = Prompt("{text}").render({}, text="x" * LONGEST)

    assert len(message.content) == LONGEST
