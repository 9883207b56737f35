"""Prompts. A prompt is the text as written; rendering replaces its placeholders and makes chat messages.

A placeholder is `{name}` with a known name: a field of the task's data, `{text}` (the value of the labelled object),
`{labels}`, and in a template `{prompt}`. All are replaced in one pass, so a brace in a value stays as it is. Any other brace
stays too: prompts often hold JSON. A template leaves out the placeholders that the prompt has.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Self

from annotune.chat import Message
from annotune.errors import RequestInvalid
from annotune.settings import Settings
from annotune.values import FrozenModel

LONGEST = 8_000_000  # characters; more than any model's window holds
NAMES_SHOWN = 3  # unknown placeholders in a message
LONGEST_NAME = 40  # characters
SHORT_SHA = 8  # hex digits in a model version
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Prompt:
    """A person's text, the template that it goes into, and the system message before it."""

    text: str
    template: str = "{prompt}"
    system: str = ""

    @classmethod
    def from_settings(cls, text: str, settings: Settings, system: str | None) -> Self:
        """A text with the deployment's template. `system` is the project's own system message; None: the setting's."""
        return cls(text, settings.template, settings.system_message(system))

    @cached_property
    def sha(self) -> str:
        """Hex SHA-256 of text, template and system message. Prompts of equal shas ask the model the same."""
        return hashlib.sha256(json.dumps([self.text, self.template, self.system]).encode()).hexdigest()

    @property
    def short_sha(self) -> str:
        """The first `SHORT_SHA` digits of `sha`."""
        return self.sha[:SHORT_SHA]

    def render(
        self,
        data: Mapping[str, object],
        *,
        text: str,
        labels: tuple[str, ...] = (),
        shown: Sequence[tuple[str, str]] = (),
    ) -> tuple[Message, ...]:
        """The chat messages for one task.

        Args:
            data: the task's data. A field that is no string is written as JSON.
            text: the value of the labelled object.
            labels: the labels that an answer may choose among.
            shown: the field that each labelled object shows, and its part of `text`. The template leaves `{text}` out if
                the prompt has all these fields. If the prompt has some of them, `{text}` in the template stands for the
                other parts. If the prompt has `{text}`, the template leaves all these fields out.

        Raises:
            RequestInvalid: the result would have over `LONGEST` characters.
        """
        values = {name: _written(value) for name, value in data.items()}
        values |= {"text": text, "labels": ", ".join(labels)}
        values.pop("prompt", None)
        placed = set(_PLACEHOLDER.findall(self.text)) & values.keys()
        template, rest = self.template, text
        if placed and "prompt" in _PLACEHOLDER.findall(template):
            fields = {field for field, _ in shown}
            placed |= fields if "text" in placed else {"text"} if fields and fields <= placed else set()
            rest = "\n\n".join(part for field, part in shown if field not in placed) if fields & placed else text
            template = _without(template, placed - {"prompt"})
        asked = _fill(self.text, values)
        system = (Message("system", self.system),) if self.system else ()
        return (*system, Message("user", _fill(template, values | {"text": rest, "prompt": asked})))


def unknown_placeholders(prompt: str, fields: Iterable[str]) -> tuple[str, ...]:
    """The placeholders of a prompt that name no field of a task, nor `text` or `labels`: each once, in order.

    They are sent as they stand, since the form of an answer or a formula may look like a placeholder. People get a warning.
    """
    known = {*fields, "text", "labels"} - {"prompt"}
    return tuple(name for name in dict.fromkeys(_PLACEHOLDER.findall(prompt)) if name not in known)


def describe_unknown(names: Sequence[str], fields: Iterable[str], *, place: str = "this task") -> str:
    """A sentence about what `unknown_placeholders` found, with similar names; empty if it found nothing."""
    if not names:
        return ""
    listed = [name[:LONGEST_NAME] for name in names[:NAMES_SHOWN]]
    usable = [name for name in fields if len(name) <= LONGEST_NAME and _PLACEHOLDER.fullmatch(f"{{{name}}}")]
    known = [name for name in ("text", "labels", *usable) if name not in {*names, "prompt"}]
    similar = dict.fromkeys(match for name in listed for match in difflib.get_close_matches(name, known, n=1))
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    has = f"The prompt has {_braced(listed, ', ' if more else ' and ')}{more}"
    end = f"did you mean {_braced(similar, ' or ')}?" if similar else "it is sent as it stands."
    return f"{has}, which {'name' if len(names) > 1 else 'names'} nothing in {place}: {end}"


@dataclass
class PlaceholderCheck:
    """Collects the unknown placeholders of a prompt, task by task. `lacking` counts the tasks that have some."""

    prompt: str
    names: dict[str, None] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    tasks: int = 0
    lacking: int = 0

    def add(self, fields: Collection[str]) -> None:
        """Add a task that has these fields."""
        names = unknown_placeholders(self.prompt, fields)
        self.names |= dict.fromkeys(names)
        self.fields |= set(fields)
        self.tasks, self.lacking = self.tasks + 1, self.lacking + bool(names)

    @property
    def warning(self) -> str:
        """As `describe_unknown`, for all tasks together."""
        return describe_unknown(tuple(self.names), self.fields, place=f"{self.lacking} of {self.tasks} tasks")


def _braced(names: Iterable[str], last: str) -> str:
    *most, one = [f"{{{name}}}" for name in names]
    return f"{', '.join(most)}{last}{one}" if most else one


def _without(template: str, placed: Collection[str]) -> str:
    """A template without these placeholders, and without the lines that have no word left."""
    lines: list[str] = []
    for line in template.split("\n"):
        left = _PLACEHOLDER.sub(lambda match: "" if match[1] in placed else match[0], line)
        if left == line:
            lines.append(line)
        elif any(letter.isalnum() for letter in left):
            lines.append(left.strip())
        else:
            while lines and not lines[-1].strip():
                lines.pop()
    shortened = "\n".join(lines)
    return shortened if shortened == template else shortened.strip("\n")


def _fill(template: str, values: Mapping[str, str]) -> str:
    filled = len(template)
    for match in _PLACEHOLDER.finditer(template):
        filled += len(values.get(match[1], match[0])) - len(match[0])
    if filled > LONGEST:  # counted before filling: a long text placed many times would take all memory
        raise RequestInvalid(
            f"the prompt has {filled} characters with its placeholders filled, over the limit of {LONGEST}:"
            " use each placeholder once, or shorten the task"
        )
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def _written(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class ProjectPrompt(FrozenModel):
    """A project's prompt as written. `source` says what set it: `annotation 12` or `command`."""

    text: str
    source: str
    at: datetime


class PromptVersion(ProjectPrompt):
    """A version of a project's prompt, numbered from 1, with its system message (None: the setting's)."""

    number: int = 1
    system: str | None = None
