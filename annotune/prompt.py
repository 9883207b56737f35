"""A prompt is the text as written, placeholders unreplaced; rendering makes chat messages of it.

Placeholders are `{name}` with a known name: a field of the task's data, `{text}` (the value of the labelled object),
`{labels}`, and in a template `{prompt}`. All are replaced in one pass, values are never read again, and any other brace
stays as it is: JSON in a prompt is normal. A template leaves out what the prompt has placed already.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from annotune.chat import Message
from annotune.errors import RequestInvalid
from annotune.values import FrozenModel

LONGEST = 8_000_000  # characters; more than any model's window holds
TOLD = 3  # of the placeholders that name nothing
LONGEST_NAME = 40  # characters
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Prompt:
    """A person's text, the template that it goes into, and the system message before it."""

    text: str
    template: str = "{prompt}"
    system: str = ""

    @cached_property
    def sha(self) -> str:
        """Hex SHA-256 of text, template and system message: equal shas ask the model the same."""
        return hashlib.sha256(json.dumps([self.text, self.template, self.system]).encode()).hexdigest()

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
            data: the task's data; a field that is no string is written as JSON.
            text: the value of the labelled object.
            labels: the labels that an answer may choose among.
            shown: the field that each labelled object shows, and its part of `text`: a prompt with all these fields has
                placed `{text}`, one with some of them all but the other parts, and one with `{text}` all the fields.

        Raises:
            RequestInvalid: filled in, it would have over `LONGEST` characters.
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
    """The placeholders of a prompt that name none of a task's fields, and neither `text` nor `labels`: each once, in order.

    They are sent as they stand: the form of an answer, or a formula, may well be written so. They are told, and not refused.
    """
    known = {*fields, "text", "labels"} - {"prompt"}
    return tuple(name for name in dict.fromkeys(_PLACEHOLDER.findall(prompt)) if name not in known)


def describe_unknown(names: Sequence[str], fields: Iterable[str], *, place: str = "this task") -> str:
    """What `unknown` found, in a sentence, with the names that come near; empty where it found nothing."""
    if not names:
        return ""
    listed = [name[:LONGEST_NAME] for name in names[:TOLD]]
    usable = [name for name in fields if len(name) <= LONGEST_NAME and _PLACEHOLDER.fullmatch(f"{{{name}}}")]
    known = [name for name in ("text", "labels", *usable) if name not in {*names, "prompt"}]
    near = dict.fromkeys(meant for name in listed for meant in difflib.get_close_matches(name, known, n=1))
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    has = f"The prompt has {_braced(listed, ', ' if more else ' and ')}{more}"
    end = f"did you mean {_braced(near, ' or ')}?" if near else "it is sent as it stands."
    return f"{has}, which {'name' if len(names) > 1 else 'names'} nothing in {place}: {end}"


@dataclass
class PlaceholderCheck:
    """What tasks lack of a prompt's placeholders, gathered task by task."""

    prompt: str
    names: dict[str, None] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    tasks: int = 0
    lacking: int = 0

    def see(self, fields: Collection[str]) -> None:
        """Count a task that has these fields."""
        names = unknown_placeholders(self.prompt, fields)
        self.names |= dict.fromkeys(names)
        self.fields |= set(fields)
        self.tasks, self.lacking = self.tasks + 1, self.lacking + bool(names)

    @property
    def sentence(self) -> str:
        """As `told_unknown`."""
        return describe_unknown(tuple(self.names), self.fields, place=f"{self.lacking} of {self.tasks} tasks")


def _braced(names: Iterable[str], last: str) -> str:
    *most, one = [f"{{{name}}}" for name in names]
    return f"{', '.join(most)}{last}{one}" if most else one


def _without(template: str, placed: Collection[str]) -> str:
    """A template without these placeholders, and without the lines on which no word is left then."""
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
    if filled > LONGEST:  # told before it is made: a long text named often would take all memory
        raise RequestInvalid(
            f"the prompt has {filled} characters once its placeholders are filled, and {LONGEST} are the most:"
            " name each placeholder once, or shorten the task"
        )
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def _written(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class ProjectPrompt(FrozenModel):
    """A project's prompt as written, and what set it: `annotation 12` or `command`."""

    text: str
    source: str
    at: datetime


class PromptVersion(ProjectPrompt):
    """A version of a project's prompt, numbered from 1, with the system message that went with it (None: the setting's)."""

    number: int = 1
    system: str | None = None
