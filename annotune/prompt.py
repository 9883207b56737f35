"""A prompt is the text as written, placeholders unreplaced; rendering makes chat messages of it.

Placeholders are `{name}` with a known name: a field of the task's data, `{text}` (the value of the labelled object),
`{labels}`, and in a template `{prompt}`. All are replaced in one pass, values are never read again, and any other brace
stays as it is: JSON in a prompt is normal.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from annotune.completion import Message
from annotune.errors import RequestInvalid

LONGEST = 8_000_000  # characters; more than any model's window holds
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

    def render(self, data: Mapping[str, object], *, text: str, labels: tuple[str, ...] = ()) -> tuple[Message, ...]:
        """The chat messages for one task.

        Args:
            data: the task's data; a field that is no string is written as JSON.
            text: the value of the labelled object.
            labels: the labels that an answer may choose among.

        Raises:
            RequestInvalid: filled in, it would have over `LONGEST` characters.
        """
        values = {name: _written(value) for name, value in data.items()}
        values |= {"text": text, "labels": ", ".join(labels)}
        values["prompt"] = _fill(self.text, {name: value for name, value in values.items() if name != "prompt"})
        system = (Message("system", self.system),) if self.system else ()
        return (*system, Message("user", _fill(self.template, values)))


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
