"""What a person sees in Label Studio's editor when a prompt is sent, and which controls the person has edited."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from annotune.labeling.choices import Choices
from annotune.labeling.config import Labeling
from annotune.labeling.controls import Control
from annotune.labeling.prediction import Region
from annotune.labeling.regions import TYPED, UNTOUCHED, is_filled, region_text, region_texts


@dataclass(frozen=True)
class EditorState:
    """The regions of one task in the editor. Spans are missing: Label Studio sends none when a person asks."""

    labeling: Labeling
    regions: Sequence[Region]

    @cached_property
    def prompt(self) -> str | None:
        """The text of the prompt control; None if it is empty."""
        return region_text(self.regions, self.labeling.prompt_control)

    @property
    def prompt_region_id(self) -> str:
        """The id of the prompt's region; empty if it has none."""
        return str(self._prompt_region.get("id", ""))

    @property
    def prompt_is_predicted(self) -> bool:
        """Whether the prompt's region still has a prediction's origin.

        It does until the first answer after a task was opened with a prediction, or reset to it (see `prompt_as_typed`).
        """
        return str(self._prompt_region.get("origin")).startswith(UNTOUCHED)

    @property
    def prompt_as_typed(self) -> list[Region]:
        """The prompt's region with a person's origin, if it still has a prediction's; else empty.

        The editor (1.23.2) takes over the origin and keeps the id, so later questions differ from the first one. A reset
        brings the prediction's origin back.
        """
        return [{**self._prompt_region, "origin": TYPED}] if self.prompt_is_predicted else []

    @property
    def shows_status(self) -> bool:
        """Whether the status control may show a message. The request holds the control only if it is submitted."""
        control = self.labeling.status_control
        return control is not None and (not self.labeling.submits_status or bool(region_texts(self.regions, control)))

    @cached_property
    def edited_controls(self) -> tuple[str, ...]:
        """The names of the controls that a person filled or changed. An answer does not change them."""
        return tuple(control.name for control in self._filled_controls if not self._is_unedited(control))

    @property
    def has_unedited_answer(self) -> bool:
        """Whether the editor shows an answer of the model that nobody has changed."""
        return any(self._is_unedited(control) for control in self._filled_controls)

    @cached_property
    def fillable_controls(self) -> frozenset[str]:
        """The names of the controls that an answer may fill: not edited, and not hidden by an edited one."""
        edited = self.edited_controls
        return frozenset(
            control.name
            for control in self.labeling.controls
            if control.name not in edited and self._is_visible(control)
        )

    def select(self, regions: Iterable[Region]) -> list[Region]:
        """The regions of an answer that may be filled, with the origin of a prediction.

        If the answer chooses none of several choices, an empty region replaces the choice of an earlier answer.
        """
        selected = [region for region in regions if region["from_name"] in self.fillable_controls]
        answered = {region["from_name"] for region in selected}
        outdated = [control for control in self._filled_controls if control.name in self.fillable_controls - answered]
        emptied = [control.emptied for control in outdated if isinstance(control, Choices) and control.may_be_empty]
        return [region | {"origin": UNTOUCHED} for region in [*selected, *emptied]]

    @cached_property
    def _prompt_region(self) -> Region:
        control = self.labeling.prompt_control
        return next((region for region in self.regions if region.get("from_name") == control), {})

    @cached_property
    def _filled_controls(self) -> tuple[Control, ...]:
        filled = {region.get("from_name") for region in self.regions if is_filled(region)}
        return tuple(control for control in self.labeling.controls if control.name in filled)

    def _is_unedited(self, control: Control) -> bool:
        filled = [region for region in self.regions if region.get("from_name") == control.name and is_filled(region)]
        return all(region.get("origin") == UNTOUCHED for region in filled)

    def _is_visible(self, control: Control) -> bool:
        condition = control.shown_when
        if condition is None or condition.control not in self.edited_controls:
            return True
        values = {item.name: item.answer(self.regions) for item in self.labeling.controls}
        return condition.holds(values.get(condition.control))
