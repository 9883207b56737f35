"""The prompt under which a dataset's questions will be asked, and the chats that it makes of tasks.

A closed-book chat has the question alone: what the labeling config shows the model, without the source text that the
question was made from. It is the very chat that the project of the prompt would send for the question.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotune.chat import Message
from annotune.errors import PromptMissing, RequestInvalid
from annotune.label_studio.rows import ProjectRow
from annotune.labeling.config import Labeling
from annotune.prompt import Prompt, unknown_placeholders
from annotune.question import ask_messages
from curation.context import CurationContext
from curation.example import Example
from curation.lineage import SOURCE
from curation.placeholders import project_fields

READABLE = ("Text", "HyperText")


@dataclass(frozen=True)
class ServedPrompt:
    """A prompt and how it asks. `prompt` is None if each chat has the prompt that its annotation answers."""

    prompt: Prompt | None
    messages: Callable[[Example, Mapping[str, object]], tuple[Message, ...]]
    """The chat for an example and its task's data. Raises RequestInvalid if it is too long."""


def served_prompt(
    context: CurationContext, project: ProjectRow, labeling: Labeling, given: int | Path | None, *, open_book: bool
) -> ServedPrompt:
    """How a dataset asks the questions of a project.

    Args:
        context: settings, Redis and Label Studio.
        project: whose answers the dataset has.
        labeling: its labeling config.
        given: the project whose prompt will be served, or a text file with the prompt. None: the project's own prompt if it
            needs no more than the question.
        open_book: keep what the annotators' prompts show. None in `given` then keeps these prompts.

    Raises:
        NotFound: there is no such project.
        LabelingInvalid: the labeling config of `given` cannot be served.
        PromptMissing: the project or the file has no prompt.
        RequestInvalid: the file cannot be read, or the prompt cannot ask the question alone.
        LabelStudioError, Unauthorized, StoreUnavailable: Label Studio or Redis does not answer.
    """
    if given is None:
        return (
            ServedPrompt(None, lambda example, _: example.messages) if open_book else _own(context, project, labeling)
        )
    if open_book:
        prompt = _required(context, given) if isinstance(given, int) else _read(context, project.id, given)
        return ServedPrompt(prompt, lambda _, data: ask_messages(labeling, prompt, data))
    if isinstance(given, int):
        return _of_project(context, labeling, given)
    prompt = _read(context, project.id, given)
    _check(prompt.text, labeling, project_fields(context, project.id), repr(str(given)))
    return _alone(labeling, prompt)


def _own(context: CurationContext, project: ProjectRow, labeling: Labeling) -> ServedPrompt:
    """The project's own prompt if it needs no more than the question, else the one that its template said is served."""
    own = prompt_in_use(context, project.id)
    lacking = _lacking(own.text, labeling, project_fields(context, project.id)) if own else ()
    if own and not lacking:
        return _alone(labeling, own)
    if text := context.patient_store.options.get(project.id).served:
        return _alone(labeling, _prompt(context, project.id, text))
    why = f"places {{{lacking[0]}}}, which a question alone lacks" if lacking else "is not set"
    raise RequestInvalid(
        f"the prompt of project {project.id} {why}: name the prompt by which the questions will be asked"
        " (--prompt PROJECT or --prompt FILE), or keep what the annotators' prompts show (--open-book)"
    )


def _of_project(context: CurationContext, labeling: Labeling, other: int) -> ServedPrompt:
    """The prompt of another project, asked as that project asks. `labeling` is of the project whose answers are taken."""
    prompt = _required(context, other)
    asking = context.labeling(context.project(other).label_config, other)
    shown = [item for item in asking.objects if not item.beside]
    if len(shown) != 1 or shown[0].tag not in READABLE or asking.schema != labeling.schema:
        raise RequestInvalid(
            f"project {other} cannot ask these questions: its model must be shown one Text and be asked for the same form"
            " of answer: name another project or a file by --prompt"
        )
    field = shown[0].field
    _check(prompt.text, asking, project_fields(context, other), f"project {other}")
    return ServedPrompt(prompt, lambda example, _: ask_messages(asking, prompt, {field: example.question}))


def _read(context: CurationContext, project: int, path: Path) -> Prompt:
    """A prompt from a text file, with the project's system message."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise RequestInvalid(f"the prompt {str(path)!r} cannot be read: {why}") from error
    if not text:
        raise PromptMissing(f"the file {str(path)!r} is empty: write the prompt into it")
    return _prompt(context, project, text)


def _required(context: CurationContext, project: int) -> Prompt:
    """The prompt of a project that must have one."""
    context.project(project)
    prompt = prompt_in_use(context, project)
    if prompt is None:
        raise PromptMissing(f"project {project} has no prompt: give it one by 'annotune prompts set {project}'")
    return prompt


def prompt_in_use(context: CurationContext, project: int) -> Prompt | None:
    """The prompt that answers a project now: its own, else DEFAULT_PROMPT; None if it has none."""
    used = context.patient_store.prompts.used(project)
    text = used.text if used else context.settings.default_prompt_text
    return _prompt(context, project, text) if text and text.strip() else None


def _prompt(context: CurationContext, project: int, text: str) -> Prompt:
    return Prompt.from_settings(text, context.settings, context.patient_store.prompts.system(project))


def _alone(labeling: Labeling, prompt: Prompt) -> ServedPrompt:
    """A prompt that is filled from the fields of the question alone."""
    fields = _own_fields(labeling)

    def messages(_: Example, data: Mapping[str, object]) -> tuple[Message, ...]:
        return ask_messages(labeling, prompt, {name: value for name, value in data.items() if name in fields})

    return ServedPrompt(prompt, messages)


def _own_fields(labeling: Labeling) -> frozenset[str]:
    """The fields that make the question: what the model is shown, without the source text beside it."""
    return frozenset(item.field for item in labeling.objects if not (item.beside and item.field == SOURCE))


def _lacking(text: str, labeling: Labeling, fields: set[str]) -> tuple[str, ...]:
    """The fields of tasks that a prompt places and a question alone lacks."""
    return tuple(name for name in unknown_placeholders(text, ()) if name in {*fields, SOURCE} - _own_fields(labeling))


def _check(text: str, labeling: Labeling, fields: set[str], name: str) -> None:
    if lacking := _lacking(text, labeling, fields):
        raise RequestInvalid(
            f"the prompt of {name} places {{{lacking[0]}}}, which a question alone lacks: name another one by --prompt,"
            " or keep what the annotators' prompts show (--open-book)"
        )
