"""The versions of a project's prompt: listed, shown, compared as text, set and pinned."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from annotune.errors import PromptMissing
from annotune.prompt import ProjectPrompt, Prompt, PromptVersion
from curation.context import CurationContext
from curation.placeholders import placeholder_warnings

LATEST = "latest"


@dataclass(frozen=True)
class ListedPrompt:
    """A version of a project's prompt. `prompt.short_sha` is what the model versions of predictions end in."""

    version: PromptVersion
    prompt: Prompt
    is_used: bool
    is_pinned: bool


@dataclass(frozen=True)
class PromptChange:
    """A new version of a prompt. `unpinned` is the number of the version whose pin it ended.

    `warnings` are sentences about placeholders that name nothing.
    """

    version: PromptVersion
    unpinned: int | None
    warnings: tuple[str, ...]


def list_prompts(context: CurationContext, project: int) -> list[ListedPrompt]:
    """All versions of the project's prompt, newest first.

    Raises:
        NotFound: there is no such project.
    """
    context.check_project(project)
    prompts = context.store.prompts
    used, pinned = prompts.used(project), prompts.pinned(project)
    return [
        ListedPrompt(
            version=version,
            prompt=Prompt.from_settings(version.text, context.settings, version.system),
            is_used=used is not None and version.number == used.number,
            is_pinned=version.number == pinned,
        )
        for version in reversed(prompts.versions(project))
    ]


def find_prompt(context: CurationContext, project: int, version: str = "") -> PromptVersion | None:
    """A version of the project's prompt, or the one in use. None if the project has no prompt of its own.

    Raises:
        NotFound: there is no such project or version.
        RequestInvalid: `version` is no number.
    """
    context.check_project(project)
    prompts = context.store.prompts
    return prompts.find(project, version) if version else prompts.used(project)


def system_prompt(context: CurationContext, project: int, version: str = "") -> str:
    """The system prompt of a version, or the one that the project uses: its own, else SYSTEM_PROMPT.

    Raises:
        NotFound: there is no such project or version.
        RequestInvalid: `version` is no number.
    """
    context.check_project(project)
    prompts = context.store.prompts
    own = prompts.find(project, version).system if version else prompts.system(project)
    return context.settings.system_message(own)


def set_prompt(
    context: CurationContext, project: int, text: str, *, system: str | None = None, pin: bool = False
) -> PromptChange:
    """Make a text the project's prompt. It is used until another is submitted, or always if it is pinned.

    Args:
        context: settings, Redis and Label Studio.
        project: its id in Label Studio.
        text: the prompt as written, with its placeholders.
        system: the project's system prompt. An empty one means none; None leaves it as it is.
        pin: use it also when another is submitted.

    Raises:
        PromptMissing: the text is empty.
        NotFound: there is no such project.
    """
    text = text.strip()
    if not text:
        raise PromptMissing(f"an empty text is no prompt: the prompt of project {project} stays as it was")
    context.check_project(project)
    prompts = context.store.prompts
    system = None if system is None else system.strip()
    warnings = placeholder_warnings(context, project, text, system or "")
    if system is not None:
        prompts.set_system(project, system)
    pinned = prompts.pinned(project)
    version = prompts.add(project, ProjectPrompt(text=text, source="command", at=datetime.now(UTC)), over_pin=True)
    if pin:
        prompts.pin(project, version)
    context.save_copy(project)
    return PromptChange(version=version, unpinned=None if pin else pinned, warnings=tuple(warnings))


def use_prompt(context: CurationContext, project: int, version: str) -> PromptVersion | None:
    """Pin a version of the project's prompt. `latest` ends the pin, so that the last submitted prompt is used.

    Returns the version that is used now. None: the project has no prompt yet.

    Raises:
        NotFound: there is no such project or version.
        RequestInvalid: `version` is no number.
    """
    context.check_project(project)
    prompts = context.store.prompts
    found: PromptVersion | None
    if version == LATEST:
        found = prompts.unpin(project)
    else:
        found = prompts.find(project, version)
        prompts.pin(project, found)
    context.save_copy(project)
    return found


def diff_prompts(context: CurationContext, project: int, older: str, newer: str = "") -> list[str]:
    """A unified diff of two versions of the prompt, system prompt first. Without `newer`, of the one in use.

    Raises:
        NotFound: there is no such project or version.
        RequestInvalid: `older` or `newer` is no number.
    """
    context.check_project(project)
    prompts = context.store.prompts
    first = prompts.find(project, older)
    second = prompts.find(project, newer) if newer else prompts.used(project) or first
    return list(_diff(first, second))


def _diff(first: PromptVersion, second: PromptVersion) -> Iterator[str]:
    for part in ("system", "text"):
        before, after = ((getattr(version, part) or "").splitlines() for version in (first, second))
        old_name, new_name = (f"version {version.number}, {part}" for version in (first, second))
        yield from difflib.unified_diff(before, after, old_name, new_name, lineterm="")
