"""Placeholders of a prompt that name nothing in a project."""

from contextlib import suppress
from itertools import islice

from annotune.errors import LabelingInvalid
from annotune.ids import ALL
from annotune.prompt import describe_unknown, unknown_placeholders
from curation.context import CurationContext

SAMPLE = 20


def placeholder_warnings(context: CurationContext, project: int, text: str, system: str) -> list[str]:
    """Sentences about placeholders of a prompt that name nothing, and about placeholders of a system prompt.

    The names come from the labeling config and from the first `SAMPLE` tasks. Without Label Studio there are no warnings.

    Raises:
        NotFound: there is no such project.
        Unauthorized, LabelStudioError: Label Studio did not answer as it should.
    """
    if not context.settings.has_label_studio:
        return []
    fields = project_fields(context, project)
    unknown = describe_unknown(unknown_placeholders(text, fields), fields, place=f"the tasks of project {project}")
    not_filled = [name for name in unknown_placeholders(system, ()) if name in fields]
    not_filled += [name for name in ("text", "labels") if f"{{{name}}}" in system]
    warnings = [unknown] if unknown else []
    if not_filled:
        warnings.append(
            f"The system prompt has {{{not_filled[0]}}}, which is sent as it stands: only the prompt is filled."
        )
    return warnings


def project_fields(context: CurationContext, project: int) -> set[str]:
    """The fields that the labeling config shows, and those of the first tasks."""
    row = context.label_studio.projects.get(project)
    fields: set[str] = set()
    with suppress(LabelingInvalid):
        fields |= {item.field for item in context.labeling(row.label_config, project).objects}
    if not row.evaluate_predictions_automatically:  # else reading tasks makes Label Studio fetch predictions
        for task in islice(context.label_studio.tasks.by_id(project, ALL), SAMPLE):
            fields |= task.data.keys()
    return fields
