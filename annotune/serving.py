"""What answers a project: the model, the options it is called with, and the prompt."""

import logging
import re
import threading
from dataclasses import dataclass, replace
from typing import Self

from annotune.errors import NotFound, PromptMissing, StoreEmptied, StoreUnavailable
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, version_number
from annotune.options import Options
from annotune.prompt import SHORT_SHA, Prompt
from annotune.servers.pool import default_ref
from annotune.settings import Settings
from annotune.store.store import Store

PROJECTS_CACHED = 1000
WITH_PROMPT = re.compile(rf".+@[0-9a-f]{{{SHORT_SHA}}}", re.DOTALL)
"""Matches a model version that names a prompt."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """What answers a project.

    `prompt` is None if the project has none yet. `template` and `system` are those that a typed prompt gets. `fills` are the
    controls that the model fills, as in `ProjectOptions`.
    """

    ref: ModelRef
    options: Options
    prompt: Prompt | None
    template: str
    system: str
    fills: tuple[str, ...] | None = None

    @property
    def model_version(self) -> str:
        """`<model>@<short sha of the prompt>`, or `<model>` without a prompt.

        Label Studio stores it with each prediction, and asks again for all tasks when it changes.
        """
        return f"{self.ref.model}@{self.prompt.short_sha}" if self.prompt else self.ref.model

    def with_prompt(self, text: str) -> Self:
        """The same with a prompt that a person typed."""
        return replace(self, prompt=Prompt(text, self.template, self.system))

    def with_model(self, ref: ModelRef) -> Self:
        """The same with another model."""
        return replace(self, ref=ref)

    def required_prompt(self, project: int) -> Prompt:
        """The prompt.

        Raises:
            PromptMissing: there is none. The message names the project.
        """
        if self.prompt is None:
            raise PromptMissing(
                f"project {project} has no prompt: submit an annotation with one in its prompt control,"
                f" give it one by 'annotune prompts set {project}', or set DEFAULT_PROMPT"
            )
        return self.prompt


@dataclass(frozen=True)
class DefaultModel:
    """The model that answers while no model of the project is live: of its connection (`extra_params`), or the settings."""

    ref: ModelRef
    of_connection: bool

    def __str__(self) -> str:
        source = "the connection's own" if self.of_connection else "the environment's default"
        return f"{self.ref} ({source})"


class ServingResolver:
    """Reads from Redis what answers each project.

    While Redis is away, the last values that this process read count, for up to `PROJECTS_CACHED` projects. `default` is
    what answers a project that has nothing of its own.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._default_prompt = settings.default_prompt_text
        self.default = self._serving(default_ref(settings), self._default_prompt, None)
        self._cache: dict[int, Serving] = {}
        self._lock = threading.Lock()
        self._saw_mark = False
        self._warned: dict[int, ExtraParams] = {}

    def resolve(self, project: int) -> Serving:
        """What answers the project now.

        Raises:
            StoreUnavailable: Redis is away, and this process never read the project's pointer.
            StoreEmptied: Redis lost its data since this process read it, and no worker has restored them yet.
        """
        try:
            found = self._read(project)
        except StoreUnavailable:
            cached = self._cache.get(project)
            if cached is None:
                raise
            return cached
        with self._lock:
            self._cache.pop(project, None)
            self._cache[project] = found  # least recently used first
            if len(self._cache) > PROJECTS_CACHED:
                oldest = next(iter(self._cache))
                del self._cache[oldest]
                self._warned.pop(oldest, None)
        return found

    def cached(self) -> dict[int, Serving]:
        """What this process last read, by project."""
        with self._lock:
            return dict(self._cache)

    def check_mark(self, mark: str) -> None:
        """Compare the mark that Redis has now (empty: none) with what this process saw before.

        Raises:
            StoreEmptied: the mark is gone, and the live models and prompts with it.
        """
        if not mark and self._saw_mark:
            raise StoreEmptied
        self._saw_mark = self._saw_mark or bool(mark)

    def default_model(self, project: int) -> DefaultModel:
        """The model that answers while none is live.

        Raises:
            StoreUnavailable: Redis is away.
        """
        parameters = self._within(project, self._store.extra_params.get(project) or ExtraParams())
        ref = parameters.ref(self.default.ref)
        return DefaultModel(ref, of_connection=ref != self.default.ref)

    def _within(self, project: int, stored: ExtraParams) -> ExtraParams:
        """A connection's parameters as far as the settings allow them now. Logs a warning once if some are not."""
        allowed = stored.within(self._settings, self.default.ref)
        if allowed != stored and self._warned.get(project) != stored:
            self._warned[project] = stored
            _log.warning(
                "project %d: some of its connection's extra parameters are no longer allowed (ALLOWED_MODELS, MAX_TOKENS,"
                " NUM_CTX): the settings take their place",
                project,
            )
        return allowed

    def _read(self, project: int) -> Serving:
        """A promoted or chosen model wins over the connection's own; else no trained version would ever answer."""
        now = self._store.serving.read(project)
        self.check_mark(now.mark)
        parameters = self._within(project, now.parameters or ExtraParams())
        text = now.prompt.text if now.prompt else self._default_prompt
        found = self._serving(now.live or parameters.ref(self.default.ref), text, now.system)
        fills = now.options.fills if now.options else None
        return replace(found, options=parameters.apply_to(found.options), fills=fills)

    def _serving(self, ref: ModelRef, text: str | None, system: str | None) -> Serving:
        settings = self._settings
        message = settings.system_message(system)
        serving = Serving(ref, Options.of(settings), prompt=None, template=settings.template, system=message)
        return serving.with_prompt(text) if text and text.strip() else serving


def resolve_model(store: Store, project: int, name: str) -> ModelRef:
    """The model that a person names: `ollama:llama3`, or a version of the project such as `v0003`.

    A version has the context window that it was made with.

    Raises:
        RequestInvalid: the name is neither.
        NotFound: the project has no such version.
    """
    versions, number = store.versions.all(project), version_number(name)
    if number is None:
        ref = ModelRef.parse(name)
        return next((version.ref for version in versions if str(version.ref) == str(ref)), ref)
    found = next((version.ref for version in versions if version.number == number), None)
    if found is None:
        raise NotFound(f"project {project} has no version {name}: see 'annotune models list {project}'")
    return found
