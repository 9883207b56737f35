"""A project made from a template: found by its title or made, given its options, connected, and given its prompt."""

from dataclasses import dataclass

from annotune.errors import LabelStudioError, RequestInvalid
from annotune.label_studio.rows import ProjectRow
from annotune.project_options import ProjectOptions
from curation.connect import Connected, connect_project
from curation.context import CurationContext
from curation.prompts import set_prompt
from curation.review import Review, fill_review
from curation.templates import Template

REVIEW = "review"


@dataclass(frozen=True)
class CreatedProject:
    """A project of a template. `changes` are sentences about what was done; none if nothing was to do.

    `connected` is None for a project that people alone fill. `review` says what came of filling a review project.
    """

    number: int
    title: str
    template: Template
    address: str
    changes: tuple[str, ...]
    connected: Connected | None
    review: Review | None


def create_from_template(
    context: CurationContext,
    template: Template,
    *,
    title: str | None = None,
    reviewed: int | None = None,
    url: str | None = None,
) -> CreatedProject:
    """Make a project from a template, or go on with one of the same title. Done again, it changes nothing.

    Args:
        context: settings, Redis and Label Studio.
        template: the template.
        title: the project's title; None: the template's, with the number of the reviewed project.
        reviewed: the project whose accepted answers experts review in the new one.
        url: where Label Studio reaches the backend; None: the setting BACKEND_URL.

    Raises:
        RequestInvalid: a project of that title is another one, or the template and `reviewed` do not go together.
        NotFound: there is no project `reviewed`.
        ConfigurationError: there is no URL, or Label Studio would refuse it.
        LabelStudioError, Unauthorized, StoreUnavailable: a service did not answer as it should. Run it again to go on.
    """
    _check_review(context, template, reviewed)
    title = title or (f"{template.title} of project {reviewed}" if reviewed else template.title)
    row, changes = _find_or_make(context, template, title)
    changes += _set_options(context, row.id, template, reviewed)
    connected = None
    if template.fills:
        connected = _connect(context, row.id, url)
        changes += connected.change.changes
        changes += _set_first_prompt(context, row.id, template)
    return CreatedProject(
        number=row.id,
        title=row.title,
        template=template,
        address=f"{context.label_studio.url}/projects/{row.id}",
        changes=tuple(changes),
        connected=connected,
        review=None if reviewed is None else fill_review(context, row.id, reviewed),
    )


def _check_review(context: CurationContext, template: Template, reviewed: int | None) -> None:
    if reviewed is None and template.name == REVIEW:
        raise RequestInvalid("the template 'review' takes the project to review: give its number, as in '--from 4'")
    if reviewed is not None:
        if template.fills:
            raise RequestInvalid(
                f"--from {reviewed} names a project to review, and a model fills {template.name!r}: leave it out"
            )
        context.label_studio.projects.get(reviewed)


def _find_or_make(context: CurationContext, template: Template, title: str) -> tuple[ProjectRow, list[str]]:
    """The project of this title, made if there is none.

    Raises:
        RequestInvalid: there are several, or it has another labeling config.
    """
    projects = context.label_studio.projects
    found = [row for row in projects.all() if row.title == title]
    if not found:
        return projects.get(projects.create(title, template.config, template.description)), [f"made it, as {title!r}"]
    if len(found) > 1:
        numbers = " and ".join(str(row.id) for row in found)
        raise RequestInvalid(f"projects {numbers} are both called {title!r}: give --title another one, or rename one")
    [row] = found
    ours = context.store.options.get(row.id).template == template.name  # people may have changed its config since
    if not ours and row.label_config.split() != template.config.split():
        raise RequestInvalid(
            f"project {row.id} is called {title!r} and has another labeling config than the template {template.name!r}:"
            " give --title another one, or rename that project"
        )
    return row, []


def _connect(context: CurationContext, project: int, url: str | None) -> Connected:
    try:
        return connect_project(context, project, url)
    except LabelStudioError as error:
        raise LabelStudioError(
            f"project {project} is made, and not connected yet. {error}. Then run this again"
        ) from error


def _set_options(context: CurationContext, project: int, template: Template, reviewed: int | None) -> list[str]:
    now = context.store.options.get(project)
    if now.template == template.name and now.reviews == reviewed:
        return []  # its fills may have been changed since
    context.store.options.set(
        project, ProjectOptions(template=template.name, fills=template.fills, served=template.served, reviews=reviewed)
    )
    if reviewed is not None:
        return [f"its verdicts outrank the annotations of project {reviewed}"]
    return [f"the model fills {', '.join(template.fills) or 'nothing'}"]


def _set_first_prompt(context: CurationContext, project: int, template: Template) -> list[str]:
    """Give a project the template's prompt and system prompt, unless it has a prompt already."""
    if context.store.prompts.versions(project):
        return []
    version = set_prompt(context, project, template.prompt, system=template.system).version
    return [f"its prompt is version {version.number}, from the template"]
