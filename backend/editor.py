"""What a person has on the screen when the page asks, and what of it is the person's own."""

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
    """The regions of one task. Spans are not among them: Label Studio sends none when a person asks."""

    labeling: Labeling
    regions: Sequence[Region]

    @cached_property
    def prompt(self) -> str | None:
        """What was typed; None where nothing was."""
        return region_text(self.regions, self.labeling.prompt_control)

    @property
    def prompt_region_id(self) -> str:
        """The id of the prompt's region; none where it has none."""
        return str(self._written.get("id", ""))

    @property
    def prompt_is_predicted(self) -> bool:
        """Whether no answer came yet since a task was opened with a prediction, or reset to it; see `taken_over`."""
        return str(self._written.get("origin")).startswith(UNTOUCHED)

    @property
    def prompt_as_typed(self) -> list[Region]:
        """The prompt's region as a person's own, where it is the prediction's yet.

        The editor (1.23.2) takes the origin, and keeps the id: it tells later questions from the first one. A reset brings
        the prediction's origin back.
        """
        return [{**self._written, "origin": TYPED}] if self.prompt_is_predicted else []

    @property
    def shows_status(self) -> bool:
        """Whether a status stands there, as far as the request tells: one that is not submitted is not in it either."""
        control = self.labeling.status_control
        return control is not None and (not self.labeling.submits_status or bool(region_texts(self.regions, control)))

    @cached_property
    def edited_controls(self) -> tuple[str, ...]:
        """The controls that hold what a person wrote or set: an answer leaves them as they are."""
        return tuple(control.name for control in self._filled if not self._is_untouched(control))

    @property
    def has_unedited_answer(self) -> bool:
        """Whether an answer stands there that nobody has changed."""
        return any(self._is_untouched(control) for control in self._filled)

    @cached_property
    def fillable_controls(self) -> frozenset[str]:
        """The controls that an answer may fill: none that a person set, and none that such a one hides."""
        return frozenset(
            control.name
            for control in self.labeling.controls
            if control.name not in self.edited_controls and self._shows(control)
        )

    def select(self, regions: Iterable[Region]) -> list[Region]:
        """Of the regions of an answer those that may be filled, marked as what nobody has touched yet.

        Where an answer chooses none of several, what stands there of an earlier one goes.
        """
        taken = [region for region in regions if region["from_name"] in self.fillable_controls]
        given = {region["from_name"] for region in taken}
        gone = [control for control in self._filled if control.name in self.fillable_controls - given]
        emptied = [control.emptied for control in gone if isinstance(control, Choices) and control.may_be_empty]
        return [region | {"origin": UNTOUCHED} for region in [*taken, *emptied]]

    @cached_property
    def _written(self) -> Region:
        control = self.labeling.prompt_control
        return next((region for region in self.regions if region.get("from_name") == control), {})

    @cached_property
    def _filled(self) -> tuple[Control, ...]:
        filled = {region.get("from_name") for region in self.regions if is_filled(region)}
        return tuple(control for control in self.labeling.controls if control.name in filled)

    def _is_untouched(self, control: Control) -> bool:
        mine = [region for region in self.regions if region.get("from_name") == control.name and is_filled(region)]
        return all(region.get("origin") == UNTOUCHED for region in mine)

    def _shows(self, control: Control) -> bool:
        when = control.shown_when
        if when is None or when.control not in self.edited_controls:
            return True
        given = {item.name: item.answer(self.regions) for item in self.labeling.controls}
        return when.holds(given.get(when.control))
