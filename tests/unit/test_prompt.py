"""Rendering: one pass, known names only, a value is never read again."""

import itertools
import json

import pytest

from annotune.chat import Message
from annotune.prompt import LONGEST_NAME, Prompt, describe_unknown, unknown_placeholders
from annotune.settings import DEFAULT_PROMPT_TEMPLATE

HOSTILE = [
    "{text.__class__}",
    "{text.__class__.__mro__}",
    "{text.__init__.__globals__}",
    "{prompt.__class__.__base__.__subclasses__}",
    "{x:>99999999}",
    "{text:>99999999}",
    "{text!r:>999999999}",
    "{text:{text}}",
    "{0}",
    "{}",
    "{{text}",
    "{ text }",
    "{text",
    "text}",
    "{text[0]}",
    "{data[key]}",
    "{unknown}",
    "{__class__}",
    "{self}",
    "{%s}",
    "%s %(text)s %99999999d",
    "${text.x} $text",
    "{{ 7*7 }} {% for x in range(10**9) %}x{% endfor %}",
    "#{7*7} <%= 7*7 %>",
    '{"topic": "…", "items": [1, 2]}',
    "\\{text\\} \\1 \\g<0> \\g<text>",
    "\0 \x1b[2J \u202e \ufeff",
    "\U0001d565{\U0001d565\U0001d556\U0001d569\U0001d565}",
    "{" * 5000,
    "{text}"[:-1] * 5000,
]
WHERE = "Where is it?"


def said(prompt: str, template: str = "{prompt}", /, **data: object) -> str:
    (message,) = Prompt(prompt, template).render(data, text=WHERE)
    return message.content


def test_there_are_thirty_hostile_payloads() -> None:
    assert len(set(HOSTILE)) == 30


@pytest.mark.parametrize("payload", HOSTILE)
def test_a_hostile_prompt_stays_literal_save_for_known_names(payload: str) -> None:
    assert said(payload) == payload.replace("{text}", WHERE)


@pytest.mark.parametrize("payload", [*HOSTILE, "{text}", "{prompt}", "{labels}", "{question}"])
def test_a_hostile_value_is_written_as_it_is_and_never_read_again(payload: str) -> None:
    prompt = Prompt("Q: {question} T: {text}", "{prompt} | {other}")
    (message,) = prompt.render({"question": payload, "other": payload}, text=payload)

    assert message.content == f"Q: {payload} T: {payload} | {payload}"


@pytest.mark.parametrize("payload", HOSTILE)
def test_the_output_is_no_longer_than_its_parts(payload: str) -> None:
    content = said(payload, "{prompt}{question}", question=payload)

    assert len(content) <= 2 * len(payload) + len(WHERE) * payload.count("{text}")


def test_a_placeholder_that_only_values_make_together_is_not_filled() -> None:
    assert said("{left}text}", left="{") == "{text}"


def test_a_value_in_the_prompt_is_not_filled_by_the_template() -> None:
    assert said("{question}", "{prompt} and {text}", question="{text}") == "{text} and Where is it?"


def test_json_in_a_prompt_does_not_raise_key_error() -> None:
    prompt = 'Answer as {"topic": "{text}", "n": {"a": 1}}'

    assert said(prompt) == 'Answer as {"topic": "Where is it?", "n": {"a": 1}}'


def test_an_attribute_of_a_value_is_not_evaluated() -> None:
    assert said("{text.__class__.__mro__} {text.upper}") == "{text.__class__.__mro__} {text.upper}"


def test_a_field_of_the_task_is_filled_in_prompt_and_template() -> None:
    assert said("In {year}:", "{prompt} {place}", year=1904, place="Lyon") == "In 1904: Lyon"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("é", "é"),
        (None, ""),
        (3, "3"),
        (True, "true"),
        (["a", "é"], '["a", "é"]'),
        ({"k": {"n": 1}}, '{"k": {"n": 1}}'),
    ],
)
def test_a_field_that_is_no_string_is_written_as_json(value: object, written: str) -> None:
    assert said("{field}", field=value) == written


def test_text_is_the_labelled_object_even_beside_a_field_of_that_name() -> None:
    (message,) = Prompt("{text}").render({"text": "the field"}, text="the object")

    assert message.content == "the object"


def test_labels_are_listed() -> None:
    (message,) = Prompt("One of: {labels}").render({"labels": "a field"}, text="", labels=("sports", "news"))

    assert message.content == "One of: sports, news"


def test_a_field_named_prompt_does_not_replace_the_prompt() -> None:
    assert said("Answer {text}", "{prompt}", prompt="the field") == "Answer Where is it?"


def test_a_labelled_field_named_prompt_is_placed_by_the_text_alone() -> None:
    data, shown = {"prompt": WHERE}, [("prompt", WHERE)]
    sent = [
        Prompt(text, DEFAULT_PROMPT_TEMPLATE).render(data, text=WHERE, shown=shown)[-1].content
        for text in ("Answer {text}", "Answer {prompt}")
    ]

    assert sent == ["Answer Where is it?", "Answer {prompt}\n\nWhere is it?"]


def test_a_prompt_that_holds_its_own_placeholder_is_not_filled_with_itself() -> None:
    assert said("say {prompt} {prompt}", "{prompt}!", prompt="the field") == "say {prompt} {prompt}!"


def test_a_template_without_the_prompt_leaves_it_out() -> None:
    assert said("unseen", "Summarise: {text}") == "Summarise: Where is it?"


def test_a_template_may_hold_the_prompt_twice() -> None:
    assert said("{text}", "{prompt}/{prompt}") == "Where is it?/Where is it?"


LLM_INTERACTIVE = '**Source Text**:\n\n"{text}"\n\n**Task Directive**:\n\n"{prompt}"'
BOTH = {"question": "How much?", "context": "5 mg of Zorvaxil daily 💊💊"}
PLACED = [
    # prompt, template, what is sent
    ("Answer {text}", DEFAULT_PROMPT_TEMPLATE, "Answer Where is it?"),
    ("{text}\nAnswer.", DEFAULT_PROMPT_TEMPLATE, "Where is it?\nAnswer."),
    ("Answer {question}", DEFAULT_PROMPT_TEMPLATE, "Answer Where is it?"),
    ("Answer.", DEFAULT_PROMPT_TEMPLATE, "Answer.\n\nWhere is it?"),
    ("Answer {txt} {prompt}", DEFAULT_PROMPT_TEMPLATE, "Answer {txt} {prompt}\n\nWhere is it?"),
    ("Answer {place}", DEFAULT_PROMPT_TEMPLATE, "Answer here\n\nWhere is it?"),
    ("Answer {text}", "{text}\n\n{prompt}", "Answer Where is it?"),
    ("Answer {text}", "{question}\n\n{prompt}", "Answer Where is it?"),
    ("Answer {text}", "Be kind.\n\n{text}\n\n{prompt}\n{text}", "Be kind.\n\nAnswer Where is it?"),
    ("Answer {text}", "{prompt} {text}", "Answer Where is it?"),
    ("Answer {text}", "{text} {prompt}", "Answer Where is it?"),
    ("Answer {text}", "{prompt}\nIt is about {text}, in short.", "Answer Where is it?\nIt is about , in short."),
    ("Answer {text}", LLM_INTERACTIVE, '**Source Text**:\n\n**Task Directive**:\n\n"Answer Where is it?"'),
    ("Answer.", LLM_INTERACTIVE, '**Source Text**:\n\n"Where is it?"\n\n**Task Directive**:\n\n"Answer."'),
    ("One of {labels}", "{prompt}\n{labels}\n{text}", "One of a, b\nWhere is it?"),
    ("At {place}", "{prompt}\n{place}\n{text}", "At here\nWhere is it?"),
    ("Answer {text}", "Summarise: {text}", "Summarise: Where is it?"),
    ("Answer {text}", "{prompt}", "Answer Where is it?"),
    ("Answer {text}", "{prompt}\n", "Answer Where is it?\n"),
]


@pytest.mark.parametrize(("prompt", "template", "sent"), PLACED)
def test_a_template_leaves_out_what_the_prompt_has_placed(prompt: str, template: str, sent: str) -> None:
    data = {"question": WHERE, "place": "here"}
    (message,) = Prompt(prompt, template).render(data, text=WHERE, labels=("a", "b"), shown=[("question", WHERE)])

    assert message.content == sent


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("Go.", f"Go.\n\nq:\nHow much?\n\nc:\n{BOTH['context']}"),
        ("Go: {question}", f"Go: How much?\n\nc:\n{BOTH['context']}"),
        ("Go: {context}", f"Go: {BOTH['context']}\n\nq:\nHow much?"),
        ("Go: {context} {question}", f"Go: {BOTH['context']} How much?"),
        ("Go:\n{text}", f"Go:\nq:\nHow much?\n\nc:\n{BOTH['context']}"),
    ],
)
def test_of_several_objects_the_template_adds_those_that_the_prompt_left(prompt: str, sent: str) -> None:
    shown = [("question", f"q:\n{BOTH['question']}"), ("context", f"c:\n{BOTH['context']}")]
    text = "\n\n".join(part for _, part in shown)
    (message,) = Prompt(prompt, DEFAULT_PROMPT_TEMPLATE).render(BOTH, text=text, shown=shown)

    assert message.content == sent


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("Answer {text} with {labels} and {question}", ()),
        ("Answer {txt}", ("txt",)),
        ("{b} {a} {b} {text}", ("b", "a")),
        ("{prompt}", ("prompt",)),
        ('Reply as {"topic": "x", "n": {"a": 1}} or {} or {0} or { text } or {text.x} or {a:>9}', ()),
        ("{{txt}} ${txt}", ("txt",)),
        (r"\frac{a}{2} {Frage}", ("a", "Frage")),
        ("{тext} {téxt} {te\u200bxt}", ()),
    ],
)
def test_a_placeholder_that_names_nothing_is_known(prompt: str, found: tuple[str, ...]) -> None:
    assert unknown_placeholders(prompt, ["question", "prompt"]) == found


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), ""),
        (("txt",), "The prompt has {txt}, which names nothing in this task: did you mean {text}?"),
        (("Question",), "The prompt has {Question}, which names nothing in this task: did you mean {question}?"),
        (("answer",), "The prompt has {answer}, which names nothing in this task: it is sent as it stands."),
        (
            ("txt", "lables"),
            "The prompt has {txt} and {lables}, which name nothing in this task: did you mean {text} or {labels}?",
        ),
        (
            ("a", "b", "c", "d", "e"),
            "The prompt has {a}, {b}, {c} and 2 more, which name nothing in this task: it is sent as it stands.",
        ),
        (("promt",), "The prompt has {promt}, which names nothing in this task: it is sent as it stands."),
    ],
)
def test_what_names_nothing_is_told_with_the_name_that_comes_near(names: tuple[str, ...], told: str) -> None:
    assert describe_unknown(names, ["question", "prompt", "a field, no name"]) == told


def test_a_name_of_any_length_is_told_in_a_short_sentence() -> None:
    names = unknown_placeholders("{" + "x" * 1_000_000 + "}" + "{y}" * 100_000, ["z" * 1_000_000])

    assert len(describe_unknown(names, ["z" * 1_000_000])) < 5 * LONGEST_NAME


def test_the_system_prompt_comes_first_and_is_not_rendered() -> None:
    messages = Prompt("{text}", "{prompt}", "You are {text}").render({}, text="hi")

    assert messages == (Message("system", "You are {text}"), Message("user", "hi"))


def test_without_a_system_prompt_there_is_one_message() -> None:
    assert Prompt("a").render({}, text="") == (Message("user", "a"),)


PARTS = [
    ("a", "{prompt}", ""),
    ("a ", "{prompt}", ""),
    ("a\nb", "{prompt}", ""),
    ("a", "{prompt}\n", ""),
    ("a", "{prompt}", "a"),
    ("", "a{prompt}", ""),
    ('a", "{prompt}', "", ""),
    ("é", "{prompt}", ""),
    ("e\u0301", "{prompt}", ""),
]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(PARTS, 2)))
def test_the_sha_changes_with_each_part(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert Prompt(*one).sha != Prompt(*other).sha


@pytest.mark.parametrize("parts", PARTS)
def test_the_sha_changes_with_nothing_else(parts: tuple[str, str, str]) -> None:
    prompt = Prompt(*parts)
    before = prompt.sha
    prompt.render({"text": "other"}, text="other", labels=("a",))

    assert before == prompt.sha == Prompt(*parts).sha
    assert len(bytes.fromhex(prompt.sha)) == 32


def test_deleting_a_line_of_a_prompt_is_not_lost() -> None:
    assert Prompt("Be brief.\nBe kind.").sha != Prompt("Be brief.").sha


def test_half_a_surrogate_pair_has_a_sha() -> None:
    assert Prompt(json.loads('"\\ud800"')).sha
