"""Regions as Label Studio sends and stores them: made, and read in whatever shape they come."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotune.labeling.prediction import Region

# Label Studio (1.23.2) marks a region from a model with the `origin` "prediction". When a person changes it, even back to
# what it was, the editor writes "prediction-changed". A region that a person made is "manual". Drafts and annotations keep
# all three.
UNTOUCHED = "prediction"
TYPED = "manual"


def new_region(control: str, to_name: str, kind: str, value: dict[str, Any]) -> Region:
    """A region as Label Studio stores it, with a fresh id."""
    return {"id": uuid.uuid4().hex[:10], "from_name": control, "to_name": to_name, "type": kind, "value": value}


def text_region(control: str, to_name: str, texts: Sequence[str]) -> Region:
    """The region of a TextArea."""
    return new_region(control, to_name, "textarea", {"text": list(texts)})


def region_text(regions: Iterable[Mapping[str, Any]], control: str | None) -> str | None:
    """The text of a control's region. Line breaks join several entries; None if there is no text or only blanks."""
    for region in regions:
        if region.get("from_name") != control:
            continue
        value = region.get("value")
        texts = value.get("text") if isinstance(value, Mapping) else None
        entries = [texts] if isinstance(texts, str) else texts if isinstance(texts, list) else []
        joined = "\n".join(entry for entry in entries if isinstance(entry, str))
        return joined if joined.strip() else None
    return None


def region_texts(regions: Iterable[Mapping[str, Any]], control: str) -> tuple[str, ...]:
    """All texts in a control's regions, without blank ones. If there are several, nobody knows which is the answer."""
    found: list[str] = []
    for region in regions:
        if region.get("from_name") != control:
            continue
        value = region.get("value")
        texts = value.get("text") if isinstance(value, Mapping) else None
        entries = texts if isinstance(texts, list) else [texts]
        found += [entry for entry in entries if isinstance(entry, str) and entry.strip()]
    return tuple(found)


def is_filled(region: Mapping[str, Any]) -> bool:
    """Whether a region holds anything. The editor (1.23.2) leaves an empty region if a person clears a control."""
    value = region.get("value")
    held = value.values() if isinstance(value, Mapping) else ()
    entries = [entry for item in held for entry in (item if isinstance(item, list) else [item])]
    stars_gone = region.get("type") == "rating" and entries == [0]
    return not stars_gone and any(
        not (entry is None or (isinstance(entry, str) and not entry.strip())) for entry in entries
    )


def valid_unicode(text: str) -> str:
    """A text as a browser shows it: a half surrogate pair, which JSON allows and UTF-8 does not, becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
