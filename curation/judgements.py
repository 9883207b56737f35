"""The controls by which people judge, and whether an annotation marks them. A model neither fills nor learns them."""

from annotune.label_studio.rows import AnnotationRow
from annotune.labeling.regions import is_filled

FAULTS = "faults"
"""What is wrong with the model's answer."""
REFERENCE_FAULTS = "reference_faults"
"""What is wrong with the task itself: its reference answer is wrong, or lacks context."""
VERDICT = "verdict"
"""What a reviewer decides about an accepted answer."""
CORRECTION = "correction"
"""The answer that a reviewer puts in its place."""


def marks_faults(annotation: AnnotationRow) -> bool:
    """Whether a person found faults in the model's answer."""
    return _marks(annotation, FAULTS)


def marks_wrong_reference(annotation: AnnotationRow) -> bool:
    """Whether a person found the task itself wrong."""
    return _marks(annotation, REFERENCE_FAULTS)


def _marks(annotation: AnnotationRow, control: str) -> bool:
    return any(region.get("from_name") == control and is_filled(region) for region in annotation.result)
