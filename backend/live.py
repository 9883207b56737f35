"""Which model answers in a project, and with which prompt."""

from dataclasses import dataclass

from annotune.errors import StoreUnavailable
from annotune.model import ModelRef
from annotune.parameters import Parameters
from annotune.prompt import Prompt
from annotune.question import Options
from annotune.servers.pool import default_ref
from annotune.settings import Settings
from annotune.store import Store

SHA_SHOWN = 8


@dataclass(frozen=True)
class Serving:
    """The live model of a project, how it is asked, and the prompt that it gets where nobody typed one: None where there
    is none yet.
    """

    ref: ModelRef
    prompt: Prompt | None
    options: Options

    @property
    def model_version(self) -> str:
        """What Label Studio is told: it asks again for all tasks exactly when this changes."""
        return model_version(self.ref.model, self.prompt)


class Live:
    """Reads the live pointers; while Redis is away, what this process last read still holds.

    `default` is what answers where a project has nothing of its own.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._template = settings.template
        self._system = settings.system_prompt
        self.default = Serving(default_ref(settings), self._written(settings.default_prompt_text), Options.of(settings))
        self._known: dict[int, Serving] = {}

    def serving(self, project: int) -> Serving:
        """What answers now.

        Raises:
            StoreUnavailable: Redis is away, and this process never read the project's pointer.
        """
        try:
            found = self._read(project)
        except StoreUnavailable:
            if project not in self._known:
                raise
            return self._known[project]
        self._known[project] = found
        return found

    def known(self) -> dict[int, Serving]:
        """What this process last read, by project."""
        return dict(self._known)

    def prompt(self, text: str) -> Prompt:
        """A text as written, with this deployment's template and system message."""
        return Prompt(text, self._template, self._system)

    def _read(self, project: int) -> Serving:
        """A promoted or chosen model wins over the connection's own: else nothing learnt would ever answer."""
        ref, own = self._store.live(project), self._store.prompt(project)
        parameters = self._store.parameters(project) or Parameters()
        return Serving(
            ref or parameters.ref(self.default.ref),
            self._written(own.text) if own else self.default.prompt,
            parameters.over(self.default.options),
        )

    def _written(self, text: str | None) -> Prompt | None:
        return self.prompt(text) if text and text.strip() else None


def model_version(model: str, prompt: Prompt | None) -> str:
    """`<model>@<first 8 of the prompt's sha>`, or `<model>` where there is no prompt."""
    return f"{model}@{prompt.sha[:SHA_SHOWN]}" if prompt else model
