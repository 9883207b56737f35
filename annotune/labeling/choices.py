"""Controls whose answer is a choice among labels: Choices and Taxonomy."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from xml.etree.ElementTree import Element

from annotune.errors import LabelingInvalid
from annotune.labeling.controls import MAX_DIGITS, Control, common
from annotune.labeling.prediction import Region

PATH_SEPARATOR = " > "


@dataclass(frozen=True)
class Label:
    """One label.

    `path` holds the names from the root to the label as Label Studio stores them: the alias if there is one. `value` is
    what a model reads; a nested label includes its parents. `meant` holds what else a model may answer: the alias and the
    `predicted_values`.
    """

    value: str
    path: tuple[str, ...]
    hint: str = ""
    meant: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        return f'"{self.value}" ({self.hint})' if self.hint else f'"{self.value}"'


class LabelIndex:
    """The labels of one control, found by their names. A name that merely resembles a label's finds nothing."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self.labels = tuple(labels)
        self._exact: dict[str, Label] = {}
        for label in self.labels:
            self._exact.setdefault(label.value, label)
        meant = [(name, label) for label in self.labels for name in dict.fromkeys(label.meant)]
        shared = Counter(name for name, _ in meant)
        for name, label in meant:
            if shared[name] == 1:
                self._exact.setdefault(name, label)
        folded: dict[str, set[Label]] = {}
        for name, label in self._exact.items():
            folded.setdefault(name.casefold(), set()).add(label)
        self._folded = {name: found.pop() for name, found in folded.items() if len(found) == 1}
        self._stored = {label.path: label for label in self.labels}

    def find(self, given: object) -> Label | None:
        """The label with this value, alias or predicted value; None if there is none."""
        if not isinstance(given, str):
            return None
        bare = given.strip()
        return self._exact.get(bare) or self._folded.get(bare.casefold())

    def find_stored(self, path: object) -> Label | None:
        """The label that Label Studio stores under a name, or a path of names; None if there is none."""
        return self._stored.get(_path(path))


@dataclass(frozen=True)
class Choices(Control):
    """One of several, or several (`multiple`)."""

    index: LabelIndex
    multiple: bool
    required: bool
    nested: bool

    @classmethod
    def parse(cls, tag: Element) -> Self:
        _refuse_dynamic(tag)
        nested = tag.get("allowNested", "false").lower() == "true"
        labels = tuple(_leaves(tag)) if nested else tuple(_top(tag))
        if not labels:
            raise LabelingInvalid(f"<Choices name={tag.get('name')!r}> has no <Choice value=...>: add some")
        return cls(
            **common(tag),
            index=LabelIndex(labels),
            multiple=tag.get("choice") == "multiple",
            required=tag.get("required", "false").lower() == "true",
            nested=nested,
        )

    @property
    def may_be_empty(self) -> bool:
        return self.multiple and not self.required

    @property
    def known_to_sdk(self) -> bool:
        """The SDK (2.1.2) fails on the paths that the editor stores for nested choices."""
        return not self.nested

    @property
    def emptied(self) -> Region:
        """The region that removes all choices."""
        return self._region("choices", {"choices": []})

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label.value for label in self.index.labels)

    @property
    def schema(self) -> dict[str, Any]:
        one = {"type": "string", "enum": list(self.labels)}
        return {"type": "array", "items": one} if self.multiple else one

    @property
    def description(self) -> str:
        names = ", ".join(label.description for label in self.index.labels)
        return f"a list of those that apply among {names}" if self.multiple else f"one of {names}"

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - a choice needs no source
        if isinstance(value, list) and not self.multiple:
            raise self._refused(value)
        given = value if isinstance(value, list) else [value]
        if not given and self.may_be_empty:
            return []
        found = dict.fromkeys(self._find(item) for item in given)
        if not found:
            raise self._refused(value)
        stored = [list(label.path) if self.nested else label.path[-1] for label in found]
        return [self._region("choices", {"choices": stored})]

    def _find(self, given: object) -> Label:
        label = self.index.find(given)
        if label is None:
            raise self._refused(given)
        return label

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> str | list[str] | None:
        """As in `Control`. The answer is a list too if a person chose a whole branch in a single choice."""
        values = _known(self.index, self._value(regions, "choices"))
        return values[0] if len(values) == 1 and not self.multiple else values or None


@dataclass(frozen=True)
class Taxonomy(Control):
    """Paths in a tree. A model reads and writes them as `Parent > Child`."""

    index: LabelIndex
    most: int | None

    @classmethod
    def parse(cls, tag: Element) -> Self:
        _refuse_dynamic(tag)
        leaves_only = tag.get("leafsOnly", "false").lower() == "true"
        labels = tuple(_leaves(tag)) if leaves_only else tuple(_nodes(tag))
        if not labels:
            raise LabelingInvalid(f"<Taxonomy name={tag.get('name')!r}> has no <Choice value=...>: add some")
        usages = tag.get("maxUsages", "")
        most = int(usages) if usages.isdecimal() and len(usages) <= MAX_DIGITS else 0  # more than that bounds nothing
        return cls(**common(tag), index=LabelIndex(labels), most=most or None)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label.value for label in self.index.labels)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(self.labels)}}

    @property
    def description(self) -> str:
        most = f" of at most {self.most}" if self.most else ""
        return f"a list{most} of those that apply among {', '.join(label.description for label in self.index.labels)}"

    def regions(self, value: object, text: str) -> list[Region]:  # noqa: ARG002 - as in Choices
        given = value if isinstance(value, list) else [value]
        found = dict.fromkeys(self._find(item) for item in given)
        if not found or (self.most and len(found) > self.most):
            raise self._refused(value)
        return [self._region("taxonomy", {"taxonomy": [list(label.path) for label in found]})]

    def _find(self, given: object) -> Label:
        if isinstance(given, list) and all(isinstance(name, str) for name in given):
            given = PATH_SEPARATOR.join(name.strip() for name in given)
        label = self.index.find(given)
        if label is None:
            raise self._refused(given)
        return label

    def answer(self, regions: Iterable[Mapping[str, Any]]) -> list[str] | None:
        return _known(self.index, self._value(regions, "taxonomy")) or None


def parse_label(tag: Element, above: tuple["Label", ...] = ()) -> Label | None:
    """The label of a `<Choice>` or `<Label>` below the labels `above`; None if it has no name."""
    written = tag.get("alias") or "", tag.get("value") or ""
    alias, name = (each.strip() for each in written)
    if not name and not alias:
        return None
    predicted = [part.strip() for part in (tag.get("predicted_values") or "").split(",")]
    parents = above[-1] if above else None
    return Label(
        value=PATH_SEPARATOR.join([parents.value, name or alias]) if parents else name or alias,
        # The editor (1.23.2) stores blanks around a name too.
        path=(*(parents.path if parents else ()), written[0] if alias else written[1]),
        hint=(tag.get("hint") or "").strip(),
        meant=tuple(part for part in (alias, name if parents else "", *predicted) if part),
    )


def _known(index: LabelIndex, stored: object) -> list[str]:
    """The values of the labels in a region; none if one of them is not a label.

    The editor (1.23.2) also stores the parent of nested choices that are all ticked: the parent is left out.
    """
    paths = [_path(path) for path in stored] if isinstance(stored, list) else []
    found = [label for label in map(index.find_stored, paths) if label]
    above = {label.path[:depth] for label in found for depth in range(1, len(label.path))}
    known = above | {label.path for label in found}
    return list(dict.fromkeys(label.value for label in found)) if known.issuperset(paths) else []


def _path(stored: object) -> tuple[str, ...]:
    """A path of names, or a single name, as Label Studio stores it."""
    names = stored if isinstance(stored, list | tuple) else [stored]
    return tuple(name for name in names if isinstance(name, str))


def _choices(tag: Element) -> Iterator[Element]:
    """The nearest `<Choice>` tags below a tag, through any views in between."""
    for child in tag:
        if child.tag == "Choice":
            yield child
        else:
            yield from _choices(child)


def _top(tag: Element) -> Iterator[Label]:
    """The choices without `allowNested`: the editor (1.23.2) then ignores a choice below another."""
    yield from filter(None, (parse_label(child) for child in _choices(tag)))


def _nodes(tag: Element, above: tuple[Label, ...] = ()) -> Iterator[Label]:
    for child in _choices(tag):
        label = parse_label(child, above)
        if label:
            yield label
            yield from _nodes(child, (*above, label))


def _leaves(tag: Element) -> Iterator[Label]:
    nodes = list(_nodes(tag))
    inner = {label.path[:depth] for label in nodes for depth in range(1, len(label.path))}
    yield from (label for label in nodes if label.path not in inner)


def _refuse_dynamic(tag: Element) -> None:
    if (tag.get("value") or "").startswith("$") or tag.get("apiUrl"):
        raise LabelingInvalid(
            f"<{tag.tag} name={tag.get('name')!r}> reads its labels from elsewhere: write them as <Choice value=...>, or"
            " leave the control to people by ANSWER_CONTROLS"
        )
