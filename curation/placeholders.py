"""What of a prompt's placeholders names nothing in a project."""

from contextlib import suppress
from itertools import islice

from annotune.errors import LabelingInvalid
from annotune.ids import ALL
from annotune.prompt import describe_unknown, unknown_placeholders
from curation.context import Context

SAMPLE = 20


def told_unknown_in(context: Context, project: int, text: str, system: str) -> list[str]:
    """In sentences, by the project's config and its first tasks; none where Label Studio is not configured.

    Raises:
        NotFound, Unauthorized, LabelStudioError: it cannot be asked.
    """
    if not context.has_label_studio:
        return []
    shown = context.label_studio.projects.get(project)
    fields: set[str] = set()
    with suppress(LabelingInvalid):
        labeling = context.labeling(shown.label_config)
        fields |= {item.field for item in labeling.objects}
    if not shown.evaluate_predictions_automatically:  # else Label Studio would ask for predictions of what is read
        for task in islice(context.label_studio.tasks.by_id(project, ALL), SAMPLE):
            fields |= task.data.keys()
    told = [describe_unknown(unknown_placeholders(text, fields), fields, place=f"the tasks of project {project}")]
    unfilled = [name for name in unknown_placeholders(system, ()) if name in fields] + [
        name for name in ("text", "labels") if f"{{{name}}}" in system
    ]
    if unfilled:
        told.append(f"The system prompt has {{{unfilled[0]}}}, which is sent as it stands: only the prompt is filled.")
    return [sentence for sentence in told if sentence]
