"""Stored predictions whose spans are shifted, repaired in Label Studio."""

from collections import defaultdict
from dataclasses import dataclass, field

from annotune.errors import LabelStudioError, LabelStudioUnreachable, NotFound
from annotune.label_studio.client import LabelStudioClient
from curation.context import CurationContext
from curation.span_repair import ShiftedSpans, shifted_spans


@dataclass
class RepairReport:
    """What a repair found and did. All lists hold ids.

    `foreign` are predictions of other tools with shifted spans; they stay. `annotations` are pairs of a task and an
    annotation with shifted spans; a person has to correct them. `failed` are predictions that were not repaired, by reason.
    """

    tasks: int = 0
    repaired: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    annotations: list[tuple[int, int]] = field(default_factory=list)
    failed: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def repair_predictions(context: CurationContext, project: int, *, dry_run: bool = False) -> RepairReport:
    """Put shifted spans of Annotune's own predictions in their places. Doing it twice changes nothing more.

    Args:
        context: settings and Label Studio.
        project: its id in Label Studio.
        dry_run: report what would be repaired, and change nothing.

    Raises:
        NotFound: there is no such project.
        LabelStudioError: reading the project's tasks makes Label Studio fetch predictions.
        LabelStudioUnreachable: Label Studio went away. What was repaired stays.
        LabelingInvalid: the labeling config cannot be served.
    """
    labeling = context.labeling(context.project(project).label_config, project)
    report = RepairReport()
    for task in context.label_studio.tasks.by_id(project):
        found = shifted_spans(labeling, task)
        report.tasks += 1
        report.foreign += found.foreign
        report.annotations += [(found.task, annotation) for annotation in found.annotations]
        if dry_run:
            report.repaired += found.repaired
        else:
            _rewrite(context.label_studio, found, report)
    return report


def _rewrite(label_studio: LabelStudioClient, found: ShiftedSpans, report: RepairReport) -> None:
    for prediction, regions in found.repaired.items():
        try:
            label_studio.predictions.replace_regions(found.task, prediction, regions)
        except LabelStudioUnreachable:
            raise
        except NotFound:  # deleted since the page was read
            continue
        except LabelStudioError as error:
            report.failed[str(error)].append(prediction)
        else:
            report.repaired.append(prediction)
