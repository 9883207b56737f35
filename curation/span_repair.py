"""Finds spans that Label Studio stores with offsets in UTF-16 units, and counts them in code points.

The editor (1.23.2) counts code points. Earlier versions of Annotune counted UTF-16 units: a span behind an emoji lies too
far right. A stored span also holds its words. They tell which of the two its offsets count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotune.label_studio.rows import PredictionRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Region
from annotune.labeling.spans import Labels
from annotune.serving import WITH_PROMPT

UTF16 = "utf-16-le"
HIGHEST_OF_ONE_UNIT = "\uffff"


@dataclass(frozen=True)
class ShiftedSpans:
    """The shifted spans of one task.

    `repaired` has the right regions of each of our predictions, by its id. `foreign` are the ids of predictions of other
    tools, `annotations` those of annotations. How other tools count is unknown.
    """

    task: int
    repaired: Mapping[int, Sequence[Region]]
    foreign: tuple[int, ...]
    annotations: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.repaired or self.foreign or self.annotations)


def shifted_spans(labeling: Labeling, task: TaskRow) -> ShiftedSpans:
    """The shifted spans in a task's predictions and annotations."""
    texts = dict(_marked_texts(labeling, task.data))
    repaired = {found.id: regions for found in task.predictions if (regions := _repaired(found.result, texts))}
    ours = {found.id for found in task.predictions if is_ours(found)}
    return ShiftedSpans(
        task=task.id,
        repaired={id_: regions for id_, regions in repaired.items() if id_ in ours},
        foreign=tuple(id_ for id_ in repaired if id_ not in ours),
        annotations=tuple(found.id for found in task.annotations if _repaired(found.result, texts)),
    )


def is_ours(prediction: PredictionRow) -> bool:
    """Whether a prediction has a version in our form: `<model>@<first 8 digits of the prompt's sha>`."""
    return WITH_PROMPT.fullmatch(prediction.model_version or "") is not None


def _marked_texts(labeling: Labeling, data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each Labels control and its text, where the text has other numbers of code points and UTF-16 units."""
    fields = {item.name: item.field for item in labeling.objects}
    for control in labeling.controls:
        text = data.get(fields[control.to_name]) if isinstance(control, Labels) else None
        if isinstance(text, str) and max(text, default="") > HIGHEST_OF_ONE_UNIT:
            yield control.name, text


def _repaired(regions: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> list[Region] | None:
    """All regions, the shifted ones corrected; None where none is shifted."""
    placed = [_placed(region.get("value"), texts.get(str(region.get("from_name")), "")) for region in regions]
    if not any(placed):
        return None
    return [{**region, "value": value} if value else {**region} for region, value in zip(regions, placed, strict=True)]


def _placed(value: object, text: str) -> dict[str, Any] | None:
    """A span's value counted in code points; None unless its words are at its offsets only if they count UTF-16 units."""
    if not text or not isinstance(value, Mapping):
        return None
    start, end, quote = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(quote, str) or not 0 <= start < end:
        return None
    units = text.encode(UTF16, "surrogatepass")
    if text[start:end] == quote or units[2 * start : 2 * end] != quote.encode(UTF16, "surrogatepass"):
        return None
    begin = len(units[: 2 * start].decode(UTF16, "surrogatepass"))
    return {**value, "start": begin, "end": begin + len(quote)}
