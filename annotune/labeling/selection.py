"""Which controls of a labeling config a model fills."""

from collections.abc import Callable, Container, Mapping, Sequence
from xml.etree.ElementTree import Element

from annotune.errors import LabelingInvalid
from annotune.labeling.choices import Choices, Taxonomy
from annotune.labeling.controls import Control, Pairwise, TextArea
from annotune.labeling.objects import OBJECTS, READABLE
from annotune.labeling.scalars import DateTime, Number, Rating
from annotune.labeling.spans import Labels
from annotune.labeling.xml import why_left_to_people

CONTROLS: Mapping[str, type[Control]] = {
    "TextArea": TextArea,
    "Choices": Choices,
    "Taxonomy": Taxonomy,
    "Rating": Rating,
    "Number": Number,
    "DateTime": DateTime,
    "Pairwise": Pairwise,
    "Labels": Labels,
}


def shown_tags(root: Element) -> dict[str, Element]:
    """The object tags of a config, by name.

    A `toName` on an object means nothing to Label Studio, while the SDK (2.1.2) takes the tag for a control: it is removed.
    """
    found = {
        tag.get("name", ""): tag for tag in root.iter() if tag.tag in OBJECTS and tag.get("value") and tag.get("name")
    }
    for tag in found.values():
        tag.attrib.pop("toName", None)
    return found


def fillable_controls(
    root: Element,
    shown: Mapping[str, Element],
    *,
    only: Sequence[str],
    fills: Sequence[str] | None,
    prompt_prefix: str,
    status_control: str,
) -> tuple[Control, ...]:
    """The controls that a model fills, in the order of the page.

    Each rule narrows the choice only if something is left: a config that breaks a rule everywhere gets the error of the
    control itself.

    Args:
        root: the config.
        shown: its object tags, by name.
        only: names of controls; if some of them are in the config, the model fills no others.
        fills: as `only`, but all of them must be in the config; empty if people alone fill it. None: `only` holds.
        prompt_prefix: a TextArea whose name starts so holds a prompt.
        status_control: the name of the control that tells the annotator how a request ended.

    Raises:
        LabelingInvalid: there is none, or one of them cannot be filled; the message says what to fix.
    """
    prompts = {name for tag in root.iter("TextArea") if (name := tag.get("name", "")).startswith(prompt_prefix)}
    tags = [
        tag
        for tag in root.iter()
        if tag.tag in CONTROLS
        and tag.get("perRegion") != "true"
        and tag.get("name")
        and tag.get("name") not in {*prompts, status_control}
    ]
    if fills is not None:
        _check_fills(fills, {tag.get("name", "") for tag in tags})
        only = fills
    tags = _narrowed(tags, lambda tag: tag.get("name") in only)
    # A Rating in Label Studio's own template for chatbots has no toName: its region has no object to name.
    tags = _narrowed(tags, lambda tag: bool(tag.get("toName")))
    unreadable = {name for name, tag in shown.items() if tag.tag not in READABLE}
    tags = _narrowed(tags, lambda tag: not unreadable & set(tag.get("toName", "").split(",")))
    tags = _narrowed(tags, lambda tag: tag.get("name") in only or not why_left_to_people(tag, shown))
    for reason in filter(None, (why_left_to_people(tag, shown) for tag in tags)):
        raise LabelingInvalid(f"{reason}: add another control for the model, or name others in ANSWER_CONTROLS")
    if not tags:
        raise LabelingInvalid(
            f"the labeling config has no control that a model can fill (one of {', '.join(CONTROLS)} whose name does not"
            f' start with {prompt_prefix!r}): add <TextArea name="response" toName="..."/>'
        )
    controls = tuple(CONTROLS[str(tag.tag)].parse(tag) for tag in tags)
    _check_targets(controls, shown)
    return controls


def _check_fills(fills: Sequence[str], fillable: Container[str]) -> None:
    """Raise LabelingInvalid if the model is to fill nothing, or a control that the config does not have."""
    if not fills:
        raise LabelingInvalid(
            "people alone fill this project: to let a model fill a control, run 'annotune project fills'"
        )
    for name in fills:
        if name not in fillable:
            raise LabelingInvalid(
                f"the model is to fill {name!r}, and the labeling config has no such control that a model can fill: give"
                " the control that name, or name another by 'annotune project fills'"
            )


def _narrowed(tags: Sequence[Element], keep: Callable[[Element], bool]) -> list[Element]:
    """The tags that a rule keeps; all of them if it keeps none."""
    return [tag for tag in tags if keep(tag)] or list(tags)


def _check_targets(controls: Sequence[Control], shown: Mapping[str, Element]) -> None:
    for control in controls:
        for target in control.targets:
            if target not in shown:
                raise LabelingInvalid(
                    f"<{type(control).__name__} name={control.name!r}> has toName={target!r}, which names no object"
                    " with a value"
                )
