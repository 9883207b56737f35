"""A project's labeling config, parsed: the prompt control, the controls that a model fills, the objects that it reads."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from label_studio_sdk.label_interface import LabelInterface

from annotune.chat import Message
from annotune.errors import AnswerInvalid, LabelingInvalid
from annotune.labeling.controls import Control, TextArea
from annotune.labeling.objects import LabeledObject, shown_objects
from annotune.labeling.prediction import Prediction, Region
from annotune.labeling.regions import is_filled, region_texts, text_region
from annotune.labeling.reply_json import read_json_object
from annotune.labeling.selection import fillable_controls, shown_tags
from annotune.labeling.xml import config_root, sdk_interface
from annotune.settings import Settings

PAIRWISE = "pairwise"


@dataclass(frozen=True)
class Labeling:
    """The parts of a labeling config that matter to a language model.

    `prompt_control` is None if the config has no TextArea whose name starts with the prompt's prefix, `status_control` if it
    has none of that name. `controls` are those that the model fills, `objects` those that it reads, in the order of the
    page. `submits_status`: whether Label Studio (1.23.2) submits the text of the status control. It never submits what a
    condition hides, even if a style shows it.
    """

    config: str
    prompt_control: str | None
    status_control: str | None
    controls: tuple[Control, ...]
    objects: tuple[LabeledObject, ...]
    interface: LabelInterface
    to_names: Mapping[str, str]
    submits_status: bool = True

    @classmethod
    def parse(
        cls,
        config: str,
        prompt_prefix: str = "prompt",
        status_control: str = "llm_status",
        only: tuple[str, ...] = (),
        fills: tuple[str, ...] | None = None,
    ) -> Self:
        """Read a labeling config.

        Args:
            config: the XML, as Label Studio has it.
            prompt_prefix: a TextArea whose name starts so is the prompt control.
            status_control: the name of the TextArea that tells the annotator how a request ended.
            only: names of controls; if some of them are in the config, the model fills no others.
            fills: names of controls that the config must have; the model fills them and no others. None: as `only` says.

        Raises:
            LabelingInvalid: the config cannot be served; the message says which tag or attribute to fix.
        """
        root = config_root(config)
        shown = shown_tags(root)
        controls = fillable_controls(
            root, shown, only=only, fills=fills, prompt_prefix=prompt_prefix, status_control=status_control
        )
        areas = {tag.get("name", ""): tag for tag in root.iter("TextArea")}
        status = areas.get(status_control)
        return cls(
            config=config,
            prompt_control=next((name for name in areas if name.startswith(prompt_prefix)), None),
            status_control=None if status is None else status_control,
            controls=controls,
            # A judgement is about all that the page shows. What stands beside a free text may be the answer itself.
            objects=shown_objects(
                root,
                {target for control in controls for target in control.targets},
                beside=len(controls) > 1 or not isinstance(controls[0], TextArea),
            ),
            interface=sdk_interface(root),
            to_names={name: tag.get("toName", "") for name, tag in areas.items()},
            submits_status=status is None or status.get("visibleWhen") != "choice-selected",
        )

    @classmethod
    def from_settings(cls, config: str, settings: Settings, fills: tuple[str, ...] | None = None) -> Self:
        """Read a labeling config by the deployment's settings, and by a project's `fills` (see `ProjectOptions`).

        Raises LabelingInvalid as `parse`.
        """
        return cls.parse(config, settings.prompt_prefix, settings.status_control, settings.answer_names, fills)

    @property
    def free_text(self) -> TextArea | None:
        """The control if it is the only one and free text. Its answer is plain text, all other answers are JSON."""
        only = self.controls[0] if len(self.controls) == 1 else None
        return only if isinstance(only, TextArea) else None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that an answer may choose among, as the model reads them."""
        return tuple(dict.fromkeys(label for control in self.controls for label in control.labels))

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of an answer; None if the answer is plain text."""
        if self.free_text:
            return None
        properties = {control.name: control.schema for control in self.controls}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    @property
    def instruction(self) -> str:
        """The form of the answer in words for a model; empty if the answer is plain text."""
        if self.free_text:
            return ""
        lines = [f'"{control.name}": {control.description}' for control in self.controls]
        return "\n".join(["Answer with one JSON object that has these fields and nothing else:", *lines])

    @property
    def protects_edits(self) -> bool:
        """Whether an edit of an answer sends no request.

        Label Studio (1.23.2) sends one for each edit of a control without `smart="false"`. The backend must then keep what
        the person wrote.
        """
        return not any(control.smart for control in self.controls)

    def text_of(self, data: Mapping[str, object]) -> str:
        """The text of a task's objects. If there are several, each text follows its object's name.

        Raises:
            RequestInvalid: the task lacks a field.
        """
        return "\n\n".join(text for _, text in self.shown_in(data))

    def labelled_text(self, data: Mapping[str, object]) -> str:
        """As `text_of`, but only the objects that the controls label, in the controls' order.

        It does not depend on what else the page shows, or where. Raises as `text_of`.
        """
        labelled = dict.fromkeys(target for control in self.controls for target in control.targets)
        objects = {item.name: item for item in self.objects if not item.is_image}
        texts = {name: objects[name].text(data) for name in labelled if name in objects}
        if len(texts) == 1:
            return next(iter(texts.values()))
        return "\n\n".join(f"{name}:\n{text}" for name, text in texts.items())

    def shown_in(self, data: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
        """The field of each object that has a text, and its part of `text_of`. Raises as `text_of`."""
        read = [(item, item.text(data)) for item in self.objects if not item.is_image and item.shows(data)]
        several = len(read) != 1
        return tuple((item.field, f"{item.name}:\n{text}" if several else text) for item, text in read)

    def turns_of(self, data: Mapping[str, object]) -> tuple[Message, ...]:
        """The turns of the dialogue that a task shows; none if it shows anything else, or more than one object."""
        shown = [item for item in self.objects if item.shows(data)]
        return shown[0].turns(data) if len(shown) == 1 else ()

    def regions(self, reply: str, data: Mapping[str, object]) -> list[Region]:
        """The regions of a model's whole reply to a task.

        Raises:
            AnswerInvalid: the reply does not fit the config; the message says how, in words for a model.
        """
        if self.free_text:
            return self.free_text.regions(reply, "")
        fields = read_json_object(reply)
        asked = [control for control in self.controls if control.name in fields]
        missing = [f'"{control.name}"' for control in self.controls if control not in asked and not control.shown_when]
        if missing:
            raise AnswerInvalid(f"the JSON object lacks {' and '.join(missing)}")
        texts = {item.name: item.text(data) for item in self.objects if not item.is_image and item.shows(data)}
        made = {
            control.name: control.regions(fields[control.name], texts.get(control.to_name, "")) for control in asked
        }
        given = {control.name: control.answer(made[control.name]) for control in asked}
        hidden = {
            control.name
            for control in asked
            if control.shown_when and not control.shown_when.holds(given.get(control.shown_when.control))
        }
        return in_page_order(region for name, regions in made.items() if name not in hidden for region in regions)

    def answer(self, regions: Sequence[Mapping[str, Any]]) -> str | None:
        """Regions as the reply that a model should have given: the text, or JSON of all filled controls.

        None if no control is filled. A control whose regions cannot be read is left out, since it is not empty.
        """
        if self.free_text:
            return self.free_text.answer(regions)
        given = {control.name: control.answer(regions) for control in self.controls}
        if all(value is None for value in given.values()):
            return None
        marked = {region.get("from_name") for region in regions if is_filled(region)}
        empty = {control.name for control in self.controls if control.may_be_empty} - marked
        filled = {
            name: [] if value is None else value for name, value in given.items() if value is not None or name in empty
        }
        return json.dumps(filled, ensure_ascii=False)

    def answers(self, regions: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """As `answer`, but a free text's control gives each of its texts: nobody knows which one counts."""
        if self.free_text:
            return region_texts(regions, self.free_text.name)
        answer = self.answer(regions)
        return () if answer is None else (answer,)

    def text_region(self, control: str, texts: Sequence[str]) -> Region:
        """A region of a TextArea, such as the prompt control."""
        return text_region(control, self.to_names[control], texts)

    def check(self, prediction: Prediction) -> Prediction:
        """Return the prediction if Label Studio's SDK accepts it.

        Regions that the SDK (2.1.2) cannot validate are read and written again, and must come out the same.

        Raises:
            LabelingInvalid: a region does not fit the config.
        """
        ours = {control.name: control for control in self.controls if not control.known_to_sdk}
        known = [region for region in prediction.result if region.get("from_name") not in ours]
        body = prediction.as_dict() | {"result": known}
        errors = self.interface.validate_prediction(body, return_errors=True)  # type: ignore[no-untyped-call]
        for region in prediction.result:
            control = ours.get(region.get("from_name", ""))
            if control and not _is_stored_form(control, region):
                errors.append(f"the region of {control.name!r} is not one that it can have")
        if errors:
            bare = [str(error).partition(" Got:")[0] for error in errors]  # what follows is the answer
            raise LabelingInvalid(f"the prediction does not fit the labeling config: {bare}")
        return prediction


def in_page_order(regions: Iterable[Region]) -> list[Region]:
    """Regions in the order that the page (1.23.2) needs: a Pairwise last, since the page drops all regions after one."""
    return sorted(regions, key=lambda region: region["type"] == PAIRWISE)


def _is_stored_form(control: Control, region: Region) -> bool:
    """Whether a region is what its control makes from that region's answer."""
    keys = ("from_name", "to_name", "type", "value")
    try:
        (again,) = control.regions(control.answer([region]), "")
    except (AnswerInvalid, ValueError):
        return False
    return all(region.get(key) == again[key] for key in keys)
