"""What the model had said before a person answered, and what the person made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from annotune.answer import Answer
from annotune.label_studio.rows import AnnotationRow, PredictionRow
from annotune.labeling.config import Labeling
from annotune.labeling.regions import region_text, valid_unicode
from curation.likeness import edit_distance

Kind = Literal["typed", "accepted", "corrected"]


@dataclass(frozen=True)
class Draft:
    """A text that the model gave, and the version that gave it."""

    text: str
    model_version: str | None


@dataclass(frozen=True)
class Work:
    """What a person made of a draft.

    `said` is the draft's text if it was corrected. `edit_distance` is in characters (Levenshtein): 0 for an accepted one,
    None for a typed one, which has no draft.
    """

    kind: Kind
    said: str | None = None
    edit_distance: int | None = None
    drafted_by: str | None = None


def work_on(drafts: Sequence[Draft], accepted: str) -> Work:
    """Compare an answer with the drafts, the last one said last. One that is equal was accepted, even if others followed."""
    equal = next((draft for draft in reversed(drafts) if draft.text == accepted), None)
    if equal:
        return Work("accepted", edit_distance=0, drafted_by=equal.model_version)
    if not drafts:
        return Work("typed")
    last = drafts[-1]
    return Work("corrected", last.text, edit_distance(last.text, accepted), last.model_version)


def drafts_of(
    asked: str,
    annotation: AnnotationRow,
    prediction: PredictionRow | None,
    answers: Sequence[Answer],
    labeling: Labeling,
) -> list[Draft]:
    """What the model said to the prompt that an annotation answers, the text that it is compared with last.

    That is the last answer which was asked for in this very annotation, else the prediction that the annotation was made
    from, else the last answer of all.

    Args:
        asked: the prompt, as written.
        annotation: the person's.
        prediction: the one that it was made from.
        answers: the answers that the backend had given for the task, oldest first.
        labeling: the project's config.
    """
    places = {region.get("id") for region in annotation.result if region.get("from_name") == labeling.prompt_control}
    said = [given for given in answers if not given.lost and _same_prompt(given.prompt, asked)]
    here = [_draft(given) for given in said if given.place and given.place in places]
    elsewhere = [_draft(given) for given in said if not (given.place and given.place in places)]
    return [*elsewhere, *_parent(asked, prediction, labeling), *here]


def prompt_in(row: AnnotationRow | PredictionRow, labeling: Labeling) -> str | None:
    """The prompt in the prompt control of an annotation or a prediction."""
    text = region_text(row.result, labeling.prompt_control)
    return None if text is None else valid_unicode(text)


def _parent(asked: str, prediction: PredictionRow | None, labeling: Labeling) -> list[Draft]:
    """The draft that an annotation was made from. Where nobody knows its prompt, its regions were still copied."""
    text = (labeling.answer(prediction.result) or "").strip() if prediction else ""
    if prediction is None or not text:
        return []
    prompt = prompt_in(prediction, labeling)
    return [Draft(text, prediction.model_version)] if prompt is None or _same_prompt(prompt, asked) else []


def _draft(given: Answer) -> Draft:
    return Draft(given.text.strip(), given.model_version)


def _same_prompt(one: str, other: str) -> bool:
    return one.strip() == other.strip()
