"""The verdicts of the projects that review another project's answers (see the template `review`)."""

import logging
from collections.abc import Iterator, Mapping

from annotune.errors import NotFound
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.regions import region_texts
from annotune.store.store import Store
from curation.judgements import CORRECTION, VERDICT, marks_wrong_reference
from curation.lineage import Lineage
from curation.verdict import ReviewVerdict, VerdictKind

REVIEWED = "answer"
"""The field of a review's task with the answer that the reviewer sees."""

_KINDS: Mapping[str, VerdictKind] = {"Accept": "accept", "Correct": "correct", "Reject": "reject"}
_log = logging.getLogger(__name__)


def read_verdicts(studio: LabelStudioClient, store: Store, project: int) -> dict[int, ReviewVerdict]:
    """The reviewers' verdicts about a project's annotations, by the annotation's id. Of several, the latest counts.

    A review without a verdict decides nothing. A review project that Label Studio does not have any more is passed over.

    Raises:
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        StoreUnavailable: Redis does not answer.
    """
    found: dict[int, ReviewVerdict] = {}
    for review in store.options.reviewing(project):
        try:
            for annotation, verdict in _verdicts_in(studio, review, project):
                known = found.get(annotation)
                if known is None or verdict.at >= known.at:
                    found[annotation] = verdict
        except NotFound as error:
            _log.warning("project %d: its review has no verdicts any more: %s", project, error)
    return found


def _verdicts_in(studio: LabelStudioClient, review: int, project: int) -> Iterator[tuple[int, ReviewVerdict]]:
    """The verdicts of one review project about a project's annotations."""
    for task in studio.tasks.annotated(review):
        lineage = Lineage.of(task.data)
        if lineage.annotation is None or lineage.project != project:
            continue
        for annotation in task.annotations:
            if verdict := verdict_of(task, annotation):
                yield lineage.annotation, verdict


def verdict_of(task: TaskRow, annotation: AnnotationRow) -> ReviewVerdict | None:
    """The verdict that a review's annotation holds; None if it was skipped or decides nothing."""
    kind = _kind(annotation)
    if annotation.was_cancelled or kind is None:
        return None
    corrections = region_texts(annotation.result, CORRECTION)
    reviewed = task.data.get(REVIEWED)
    return ReviewVerdict(
        kind=kind,
        answer=corrections[0].strip() if kind == "correct" and len(corrections) == 1 else None,
        annotator=annotation.completed_by,
        at=annotation.updated_at,
        reviewed=reviewed if isinstance(reviewed, str) else None,
    )


def _kind(annotation: AnnotationRow) -> VerdictKind | None:
    if marks_wrong_reference(annotation):
        return "wrong reference"
    values = [region.get("value") for region in annotation.result if region.get("from_name") == VERDICT]
    chosen = [value.get("choices") for value in values if isinstance(value, Mapping)]
    labels = [label for each in chosen if isinstance(each, list) for label in each if isinstance(label, str)]
    return _KINDS.get(labels[0]) if len(labels) == 1 else None
