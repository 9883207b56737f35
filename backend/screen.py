"""What a person has on the screen when the page asks, and what of it is the person's own."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from annotune.example import Answer
from annotune.labeling import Labeling
from annotune.prediction import Region
from annotune.prompt import Prompt
from annotune.regions import region_text, region_texts


@dataclass(frozen=True)
class Given:
    """What a task was answered before: by the log, and by the predictions that Label Studio stores."""

    answers: Sequence[Answer]
    stored: Sequence[Sequence[Region]]


@dataclass(frozen=True)
class Screen:
    """The regions of one task."""

    labeling: Labeling
    regions: Sequence[Region]

    @cached_property
    def prompt(self) -> str | None:
        """What was typed; None where nothing was."""
        return self._text(self.regions)

    @property
    def shows_status(self) -> bool:
        control = self.labeling.status_control
        return control is not None and bool(region_texts(self.regions, control))

    @cached_property
    def answer(self) -> str | None:
        """What stands in the controls that the model fills, in the form of `Labeling.answer`."""
        return self.labeling.answer(self.regions)

    @property
    def tells(self) -> bool:
        """Whether what was answered before matters: some control is filled, and an edit asks again or may be undone."""
        return self.answer is not None and not (self.labeling.protects_edits and self.labeling.free_text)

    def is_correction(self, prompt: Prompt, given: Given) -> bool:
        """Did a person write over an answer to this very prompt?

        Label Studio sends the same request when a person edits an answer whose control is smart as when one asks again:
        only an answer that we did not give tells them apart.
        """
        if self.labeling.protects_edits or self.answer is None or self._was_given(given):
            return False
        asked = any(answer.prompt_sha == prompt.sha for answer in given.answers)
        return asked or any(self._text(regions) == prompt.text for regions in given.stored)

    def holds_own_text(self, given: Given) -> bool:
        """Would an answer take the place of a text that we did not give, as far as it is known?"""
        return self.tells and self.labeling.free_text is not None and not self._was_given(given)

    def set_by_hand(self, given: Given) -> frozenset[str]:
        """The controls that hold what we never gave: an answer leaves them as they are.

        A config of one free text has none: who asks again wants that text replaced.
        """
        if self.labeling.free_text or self.answer is None:
            return frozenset()
        before = [_fields(answer.text) for answer in given.answers]
        before += [_fields(self.labeling.answer(regions)) for regions in given.stored]
        shown = {name: value for name, value in _fields(self.answer).items() if value != []}
        return frozenset(name for name, value in shown.items() if all(said.get(name) != value for said in before))

    def _was_given(self, given: Given) -> bool:
        """Is what stands in the controls an answer of ours?"""
        stored = [text.strip() for regions in given.stored if (text := self.labeling.answer(regions))]
        return self.answer is not None and self.answer.strip() in {*stored, *(answer.text for answer in given.answers)}

    def _text(self, regions: Iterable[Region]) -> str | None:
        control = self.labeling.prompt_control
        return region_text(regions, control) if control else None


def _fields(answer: str | None) -> dict[str, Any]:
    try:
        fields = json.loads(answer or "{}")
    except ValueError:  # of a time when the config had one free text
        return {}
    return fields if isinstance(fields, dict) else {}
