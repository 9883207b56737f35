"""Conditions: a control that the page shows only where another holds a value."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class ShownWhen:
    """A control is shown only if `control` has one of `values`; with no values, if it has any."""

    control: str
    values: tuple[str, ...]

    def holds(self, answer: object) -> bool:
        """Whether the control is shown, by the other control's answer in JSON."""
        given = answer if isinstance(answer, list) else [answer]
        return any(value in self.values for value in given) if self.values else answer is not None


def condition_of(tag: Element) -> ShownWhen | None:
    """The condition of a tag with `visibleWhen="choice-selected"`."""
    if tag.get("visibleWhen") != "choice-selected" or not tag.get("whenTagName"):
        return None
    values = (tag.get("whenChoiceValue") or "").split(",")
    return ShownWhen(tag.get("whenTagName", ""), tuple(value.strip() for value in values if value.strip()))
