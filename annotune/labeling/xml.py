"""A labeling config as XML, read safely and passed to Label Studio's SDK."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from label_studio_sdk.label_interface import LabelInterface

from annotune.errors import LabelingInvalid

MAX_CONFIG_CHARACTERS = 1_000_000  # characters; parsed they take 54 times as many bytes
MAX_DEPTH = 100  # tags within tags; the SDK's own parser takes 256
INHERITED = ("visibleWhen", "whenTagName", "whenChoiceValue", "perRegion")

# Attributes of a Text that shows other words than those in the task's data (1.23.2: an address, and base64).
OTHER_SOURCES = {"valueType": ("url",), "encoding": ("base64", "base64unicode")}


def config_root(config: str) -> Element:
    """The root tag of a labeling config. Each tag inherits the conditions of the views around it.

    Raises:
        LabelingInvalid: the config is not XML, too long or too deep.
    """
    if len(config) > MAX_CONFIG_CHARACTERS:
        raise LabelingInvalid(
            f"the labeling config has {len(config)} characters, of at most {MAX_CONFIG_CHARACTERS}: offer fewer labels"
        )
    try:
        root: Element = fromstring(config.strip())
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise LabelingInvalid(f"the labeling config is no valid XML: {error}") from error
    level, depth = list(root), 1
    while level:
        level, depth = [child for tag in level for child in tag], depth + 1
    if depth > MAX_DEPTH:
        raise LabelingInvalid(f"the labeling config has {depth} tags within each other, of at most {MAX_DEPTH}")
    _inherit(root)
    return root


def why_left_to_people(tag: Element, shown: Mapping[str, Element]) -> str:
    """Why a control is left to people although a model fills others of its kind; empty if it is not left to them.

    `shown` holds the object tags, by name. The editor (1.23.2) counts the characters of a HyperText or a Paragraphs
    within their elements. A region names one object; only a Pairwise compares two.
    """
    control, targets = f"<{tag.tag} name={tag.get('name')!r}>", tag.get("toName", "").split(",")
    if tag.tag != "Pairwise" and len(targets) > 1:
        return f"{control} has toName={tag.get('toName')!r}, and a model fills a control of one object"
    if tag.tag == "Taxonomy" and tag.get("labeling", "").lower() == "true":
        return f"{control} has labeling='true', so that it is chosen for marked words"
    labelled = shown.get(targets[0].strip()) if tag.tag == "Labels" else None
    if labelled is None:
        return ""
    if labelled.tag != "Text":
        return f"{control} marks words of a {labelled.tag}, and a model marks words of a Text only"
    elsewhere = [name for name, values in OTHER_SOURCES.items() if labelled.get(name, "").lower() in values]
    if elsewhere:
        odd = f"{elsewhere[0]}={labelled.get(elsewhere[0])!r}"
        return f"{control} marks words of a Text with {odd}, and the task's data does not hold these words"
    return ""


def sdk_interface(root: Element) -> LabelInterface:
    """The SDK's view of a config. Raises LabelingInvalid if the SDK cannot read it."""
    try:
        return LabelInterface(tostring(root, encoding="unicode"))
    except Exception as error:  # the SDK raises many kinds for a broken config
        raise LabelingInvalid(f"Label Studio's SDK cannot read the labeling config: {error}") from error


def _inherit(root: Element) -> None:
    waiting = [root]
    while waiting:
        tag = waiting.pop()
        for child in tag:
            if tag.tag == "View":
                for name in INHERITED:
                    if tag.get(name) is not None and child.get(name) is None:
                        child.set(name, tag.get(name, ""))
            waiting.append(child)
