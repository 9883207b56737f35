"""Which model answers in a project, how it is asked, and with which prompt."""

import logging
import threading
from dataclasses import dataclass, replace

from annotune.errors import NotFound, StoreEmptied, StoreUnavailable
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, version_number
from annotune.options import Options
from annotune.prompt import Prompt
from annotune.servers.pool import default_ref
from annotune.settings import Settings
from annotune.store.store import Store

SHA_SHOWN = 8
KNOWN = 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """The live model of a project, how it is asked, and the prompt where nobody typed one: None where there is none yet."""

    ref: ModelRef
    prompt: Prompt | None
    options: Options
    template: str
    system: str

    @property
    def model_version(self) -> str:
        """What Label Studio is told: it asks again for all tasks exactly when this changes."""
        return model_version(self.ref.model, self.prompt)

    def written(self, text: str) -> Prompt:
        """A text as written, with the deployment's template and the project's system message."""
        return Prompt(text, self.template, self.system)


class ServingResolver:
    """Reads the live pointers; while Redis is away, what this process last read still holds, for `KNOWN` projects.

    `default` is what answers where a project has nothing of its own.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._default_prompt = settings.default_prompt_text
        self.default = self._serving(default_ref(settings), self._default_prompt, None)
        self._known: dict[int, Serving] = {}
        self._lock = threading.Lock()
        self._marked = False
        self._told: dict[int, ExtraParams] = {}

    def resolve(self, project: int) -> Serving:
        """What answers now.

        Raises:
            StoreUnavailable: Redis is away, and this process never read the project's pointer.
            StoreEmptied: Redis lost all since this process read it, and no worker has restored it yet.
        """
        try:
            found = self._read(project)
        except StoreUnavailable:
            known = self._known.get(project)
            if known is None:
                raise
            return known
        with self._lock:
            self._known.pop(project, None)
            self._known[project] = found  # the last one that was asked for is the last one to be dropped
            if len(self._known) > KNOWN:
                dropped = next(iter(self._known))
                del self._known[dropped]
                self._told.pop(dropped, None)
        return found

    def known(self) -> dict[int, Serving]:
        """What this process last read, by project."""
        with self._lock:
            return dict(self._known)

    def check(self, mark: str) -> None:
        """Hear the mark that Redis has now, or that it has none.

        Raises:
            StoreEmptied: it had one before: what was live and which prompts there were is not known.
        """
        if not mark and self._marked:
            raise StoreEmptied
        self._marked = self._marked or bool(mark)

    def without_pointer(self, project: int) -> ModelRef:
        """What answers where no model was promoted or chosen: the connection's own, else the environment's.

        Raises:
            StoreUnavailable: Redis is away.
        """
        return self._within(project, self._store.parameters(project) or ExtraParams()).ref(self.default.ref)

    def _within(self, project: int, kept: ExtraParams) -> ExtraParams:
        """A connection's parameters, as far as they are allowed now; said once where they are not."""
        found = kept.within(self._settings, self.default.ref)
        if found != kept and self._told.get(project) != kept:
            self._told[project] = kept
            _log.warning(
                "project %d: its connection's extra parameters are not all allowed any more (ALLOWED_MODELS, MAX_TOKENS,"
                " NUM_CTX): what is not gives way to the settings",
                project,
            )
        return found

    def _read(self, project: int) -> Serving:
        """A promoted or chosen model wins over the connection's own: else nothing learnt would ever answer."""
        now = self._store.serving_state(project)
        self.check(now.mark)
        parameters = self._within(project, now.parameters or ExtraParams())
        text = now.prompt.text if now.prompt else self._default_prompt
        found = self._serving(now.live or parameters.ref(self.default.ref), text, now.system)
        return replace(found, options=parameters.over(found.options))

    def _serving(self, ref: ModelRef, text: str | None, system: str | None) -> Serving:
        settings = self._settings
        message = settings.system_prompt if system is None else system
        prompt = Prompt(text, settings.template, message) if text and text.strip() else None
        return Serving(ref, prompt, Options.of(settings), settings.template, message)


def model_version(model: str, prompt: Prompt | None) -> str:
    """`<model>@<first 8 of the prompt's sha>`, or `<model>` where there is no prompt."""
    return f"{model}@{prompt.sha[:SHA_SHOWN]}" if prompt else model


def resolve_model(store: Store, project: int, name: str) -> ModelRef:
    """The model that a person names: `ollama:llama3`, or a version of the project such as `v0003`.

    A version of ours comes with the context window that it was made with.

    Raises:
        RequestInvalid: the name is neither.
        NotFound: the project has no such version.
    """
    versions, number = store.versions(project), version_number(name)
    if number is None:
        ref = ModelRef.parse(name)
        return next((version.ref for version in versions if str(version.ref) == str(ref)), ref)
    found = next((version.ref for version in versions if version.number == number), None)
    if found is None:
        raise NotFound(f"project {project} has no version {name}: see 'annotune models list {project}'")
    return found
