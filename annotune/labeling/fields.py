"""The fields of a task's data that a labeling config shows, whoever fills its controls."""

import re
from dataclasses import dataclass
from typing import Self

from annotune.labeling.xml import config_root

_FIELD = re.compile(r"\$([A-Za-z_]\w*)")
# Their values are labels and styles, where a dollar is a dollar.
NO_DATA = frozenset({"Choice", "Label", "Style", "Relation"})


@dataclass(frozen=True)
class ShownFields:
    """`names`: all fields that a person sees, in the order of the page. `labelled`: those that a control is about."""

    names: tuple[str, ...]
    labelled: frozenset[str]

    @classmethod
    def of(cls, config: str) -> Self:
        """Read a labeling config. A value may name several fields, as in `value="$name, $age"`.

        Raises:
            LabelingInvalid: it is no XML.
        """
        root = config_root(config)
        targets = {name.strip() for tag in root.iter() for name in tag.get("toName", "").split(",")}
        shown: dict[str, bool] = {}
        for tag in root.iter():
            if tag.tag in NO_DATA:
                continue
            is_target = bool(tag.get("name")) and tag.get("name") in targets
            for name in _FIELD.findall(tag.get("value", "")):
                shown[name] = shown.get(name, False) or is_target
        return cls(tuple(shown), frozenset(name for name, labelled in shown.items() if labelled))
