"""Which version goes live, and how the live pointer moves: always by compare-and-swap from the value that was read."""

from annotune.checks import require_model
from annotune.deadline import Deadline
from annotune.errors import ModelServerError, NotFound, TrainingRefused
from annotune.models import ModelRef, ModelVersion, version_name, version_number
from annotune.recipe import Recipe
from annotune.serving import ServingResolver, resolve_model
from annotune.settings import Settings
from annotune.store.store import Store

CHECK_S = 10.0


def reason_to_wait(settings: Settings, store: Store, recipe: Recipe, project: int, live: ModelRef | None) -> str | None:
    """Why a version that passed its gates waits for a person; None if it may replace `live` at once.

    `live` is None if the model of the connection or of the settings answers. Call it when the run ends: the connection may
    have chosen another model meanwhile.
    """
    command = f"run 'annotune models promote {project}' to make it live"
    if settings.promote == "manual":
        return f"it passed, and PROMOTE=manual leaves the rest to a person: {command}"
    replaced = live or ServingResolver(settings, store).default_model(project).ref
    if recipe.is_base(replaced) or any(
        version.ref == replaced or version.model == replaced.model for version in store.versions.all(project)
    ):
        return None
    return f"it passed, but {replaced} answers now, which is neither a version of ours nor the recipe's base: {command}"


def go_live(store: Store, version: ModelVersion, expected: ModelRef | None) -> bool:
    """Make a version live if `expected` is still live. Returns False if it is not; nothing changes then."""
    if not store.live.swap(version.project, expected, version.ref):
        return False
    store.versions.save(version.model_copy(update={"state": "promoted"}))
    return True


def promote(settings: Settings, store: Store, project: int, number: int | None = None) -> ModelRef:
    """Make a version live: the one of that number, else the newest that waits. Returns its model.

    Raises:
        NotFound: there is no such version, or its model is not on the server.
        ModelServerError: the model's server does not answer.
        TrainingRefused: the version was refused, or the live model changed meanwhile.
    """
    live = store.live.get(project)
    version = _newest_waiting(store, project, live) if number is None else _version(store, project, number)
    if version.state == "refused":
        raise TrainingRefused(
            f"{version.name} of project {project} was refused: {version.reason}; 'annotune models use {project}"
            f" ollama:{version.model}' makes it answer all the same"
        )
    _require(settings, project, version.ref)
    if version.ref != live and not go_live(store, version, live):
        raise _changed(project)
    return version.ref


def use_model(settings: Settings, store: Store, project: int, name: str) -> ModelRef:
    """Make the model live that a person names: `ollama:llama3`, or a version such as `v0003`.

    Raises:
        RequestInvalid: the name is neither.
        NotFound, ModelServerError, TrainingRefused: as `promote`.
    """
    number = version_number(name)
    if number is not None:
        return promote(settings, store, project, number)
    ref = resolve_model(store, project, name)
    _require(settings, project, ref)
    if not store.live.swap(project, store.live.get(project), ref):
        raise _changed(project)
    return ref


def roll_back(settings: Settings, store: Store, project: int) -> ModelRef | None:
    """Undo the last move of the live pointer. Called again, it undoes the move before.

    Returns the model that is live now; None if the model of the connection or of the settings answers again. A model that
    its server lost is an error: nobody asked for the model before it.

    Raises:
        NotFound: the pointer never moved, or the model is not on its server.
        ModelServerError: the model's server does not answer.
        TrainingRefused: the live model changed meanwhile.
    """
    live = store.live.get(project)
    if live is None:
        raise NotFound(f"project {project} has no model of its own: nothing to roll back")
    before = next(iter(store.live.past(project)), None)
    answers_next = before or ServingResolver(settings, store).default_model(project).ref
    _require(settings, project, answers_next)
    if not store.live.swap_back(project, live, before):
        raise _changed(project)
    return before


def _require(settings: Settings, project: int, ref: ModelRef) -> None:
    try:
        require_model(settings, ref, Deadline.after(CHECK_S))
    except NotFound as error:
        raise NotFound(f"{error}. Project {project} keeps its model") from error
    except ModelServerError as error:
        raise ModelServerError(
            f"{error}. Project {project} keeps its model until {ref.server} answers: try again then, or choose a model of"
            " another server with 'annotune models use'"
        ) from error


def _newest_waiting(store: Store, project: int, live: ModelRef | None) -> ModelVersion:
    """The newest candidate that is newer than the live version."""
    newest = (version_number(live.version) if live and live.version else None) or 0
    waiting = [
        version for version in store.versions.all(project) if version.state == "candidate" and version.number > newest
    ]
    if not waiting:
        raise NotFound(
            f"no version of project {project} waits for a person: 'annotune models list {project}' shows all"
        )
    return waiting[-1]


def _version(store: Store, project: int, number: int) -> ModelVersion:
    for version in store.versions.all(project):
        if version.number == number:
            return version
    raise NotFound(
        f"project {project} has no version {version_name(number)}: 'annotune models list {project}' shows all"
    )


def _changed(project: int) -> TrainingRefused:
    return TrainingRefused(f"the live model of project {project} changed at this moment: look, and try again")
