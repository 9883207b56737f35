"""Regions in Label Studio's wire form: made, and read whatever their shape."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotune.labeling.prediction import Region

# Label Studio's (1.23.2) `origin` of a region that a model gave. Once a person changes it, also back to what it was, the
# editor itself makes that `prediction-changed`; what a person began is `manual`. Drafts and annotations keep all three.
UNTOUCHED = "prediction"
TYPED = "manual"


def new_region(control: str, to_name: str, kind: str, value: dict[str, Any]) -> Region:
    """A region in Label Studio's wire form."""
    return {"id": uuid.uuid4().hex[:10], "from_name": control, "to_name": to_name, "type": kind, "value": value}


def text_region(control: str, to_name: str, texts: Sequence[str]) -> Region:
    """The region of a TextArea."""
    return new_region(control, to_name, "textarea", {"text": list(texts)})


def region_text(regions: Iterable[Mapping[str, Any]], control: str | None) -> str | None:
    """The text of a control's region: several entries are joined by line breaks; None where there is none or only blanks."""
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
    """All texts that a control's regions hold, blank ones left out: more than one, and nobody knows which is meant."""
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
    """Whether a control's region holds anything; the editor (1.23.2) leaves an empty one where it is cleared."""
    value = region.get("value")
    held = value.values() if isinstance(value, Mapping) else ()
    entries = [entry for item in held for entry in (item if isinstance(item, list) else [item])]
    stars_gone = region.get("type") == "rating" and entries == [0]
    return not stars_gone and any(
        not (entry is None or (isinstance(entry, str) and not entry.strip())) for entry in entries
    )


def valid_unicode(text: str) -> str:
    """A text as a browser shows it: JSON may hold half a surrogate pair, and UTF-8 may not."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
