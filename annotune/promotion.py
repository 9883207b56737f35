"""When a version goes live, and how the pointer moves: always by compare-and-swap from what was seen live."""

from collections.abc import Callable

from annotune.errors import NotFound, TrainingRefused
from annotune.models import ModelRef, ModelVersion, version_name, version_number
from annotune.recipe import Recipe
from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.store.store import Store

Check = Callable[[ModelRef | None], None]


def why_a_person_decides(
    settings: Settings, store: Store, recipe: Recipe, project: int, live: ModelRef | None
) -> str | None:
    """Why a version that passed must wait to replace `live` (None: the connection's model answers, or the environment's).

    None if it need not. It is asked when the run ends, since a connection may have chosen another model meanwhile.
    """
    command = f"run 'annotune models promote {project}' to make it live"
    if settings.promote == "manual":
        return f"it passed, and PROMOTE=manual leaves the rest to a person: {command}"
    over = live or ServingResolver(settings, store).without_pointer(project)
    if recipe.is_base(over) or any(
        version.ref == over or version.model == over.model for version in store.versions(project)
    ):
        return None
    return f"it passed, but {over} answers now, which is neither a version of ours nor the recipe's base: {command}"


def go_live(store: Store, version: ModelVersion, expected: ModelRef | None) -> bool:
    """Point at a version if `expected` is live still. False: something else is, and nothing was changed."""
    if not store.swap_live(version.project, expected, version.ref):
        return False
    store.save_version(version.model_copy(update={"state": "promoted"}))
    return True


def promote(store: Store, project: int, version: int | None = None, *, check: Check, force: bool = False) -> ModelRef:
    """Make a version live: the newest that waits, or the one of that number; a refused one only by force.

    `check` is asked before the pointer moves, and raises where the model server does not have the model.

    Raises:
        NotFound: there is none.
        TrainingRefused: it was refused, or the live model changed meanwhile.
    """
    live = store.live(project)
    chosen = _waiting(store, project, live) if version is None else _named(store, project, version)
    if chosen.state == "refused" and not force:
        raise TrainingRefused(
            f"{chosen.name} of project {project} was refused: {chosen.reason}; 'annotune models use {project}"
            f" ollama:{chosen.model}' lets it answer all the same"
        )
    check(chosen.ref)
    if chosen.ref != live and not go_live(store, chosen, live):
        raise _changed(project)
    return chosen.ref


def rollback(store: Store, project: int, *, check: Check) -> ModelRef | None:
    """Take the last move of the pointer back; once more takes back the one before it, and so on.

    None: what answered before there was a pointer answers again. `promote` with a version's name goes forward. `check` as
    in `promote`: a model that is lost is not passed over, since nobody asked for the one before it.

    Raises:
        NotFound: the pointer never moved.
        TrainingRefused: the live model changed meanwhile.
    """
    live = store.live(project)
    if live is None:
        raise NotFound(f"project {project} has no model of its own: nothing to roll back")
    before = next(iter(store.past(project)), None)
    check(before)
    if not store.swap_back(project, live, before):
        raise _changed(project)
    return before


def _waiting(store: Store, project: int, live: ModelRef | None) -> ModelVersion:
    """The newest candidate that is newer than what is live."""
    newest = (version_number(live.version) if live and live.version else None) or 0
    waiting = [
        version for version in store.versions(project) if version.state == "candidate" and version.number > newest
    ]
    if not waiting:
        raise NotFound(
            f"no version of project {project} waits for a person: 'annotune models list {project}' shows all"
        )
    return waiting[-1]


def _named(store: Store, project: int, number: int) -> ModelVersion:
    for version in store.versions(project):
        if version.number == number:
            return version
    raise NotFound(
        f"project {project} has no version {version_name(number)}: 'annotune models list {project}' shows all"
    )


def _changed(project: int) -> TrainingRefused:
    return TrainingRefused(f"the live model of project {project} changed at this moment: look, and try again")
