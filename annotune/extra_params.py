"""The extra parameters of a connection (`extra_params` in Label Studio's model settings): its model and options."""

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, ValidationError

from annotune.errors import RequestInvalid
from annotune.models import ModelRef, ServerName
from annotune.options import Options
from annotune.settings import Settings
from annotune.values import StrictModel

LIMITED = ("max_tokens", "num_ctx")


class ExtraParams(StrictModel):
    """Each one replaces a setting, up to that setting's limit. None of them is an address or a key.

    They are stored. The limits may become lower afterwards: see `within`.
    """

    provider: ServerName | None = None
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    num_responses: Annotated[int, Field(ge=1, le=16)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    num_ctx: Annotated[int, Field(ge=256)] | None = None
    thinking: bool | None = None

    @classmethod
    def parse(cls, sent: object, settings: Settings, default: ModelRef) -> Self | None:
        """Parse what Label Studio sent. Returns None if that is empty.

        Raises:
            RequestInvalid: a name is unknown, a value does not fit, or the model is not allowed. The message names it and
                shows no other value.
        """
        if not sent:
            return None
        try:
            found = cls.model_validate(sent)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "extra_params"
            raise RequestInvalid(
                f"the extra parameter {name!r} is wrong ({first['msg']}): it may be one of {', '.join(cls.model_fields)}"
            ) from None
        return found.checked(settings, default)

    def checked(self, settings: Settings, default: ModelRef) -> Self:
        """Return the parameters unchanged. Raises RequestInvalid if a limit or the allow-list forbids them."""
        for name, most in _over(self, settings).items():
            raise RequestInvalid(f"the extra parameter {name!r} is over {most}, the setting {name.upper()}")
        if not self._is_allowed(settings, default):
            raise RequestInvalid(
                f"the extra parameters choose {self.ref(default)}, which is not allowed: choose one of"
                f" {', '.join(sorted(_allowed(settings, default)))}, or add it to ALLOWED_MODELS"
            )
        return self

    def within(self, settings: Settings, default: ModelRef) -> Self:
        """A copy that the settings allow: numbers are lowered to their limits, a model that is not allowed is removed."""
        chosen = {} if self._is_allowed(settings, default) else {"provider": None, "model": None}
        return self.model_copy(update=_over(self, settings) | chosen)

    def _is_allowed(self, settings: Settings, default: ModelRef) -> bool:
        return str(self.ref(default)) in _allowed(settings, default)

    def ref(self, default: ModelRef) -> ModelRef:
        """The model that they choose, else the default."""
        if self.provider is None and self.model is None:
            return default
        return ModelRef(server=self.provider or default.server, model=self.model or default.model)

    def apply_to(self, options: Options) -> Options:
        """A copy of the options with these values."""
        mine = self.model_dump(exclude_none=True, exclude={"provider", "model", "thinking"})
        return replace(options, **mine, think=options.think if self.thinking is None else self.thinking)


def _over(parameters: ExtraParams, settings: Settings) -> dict[str, int]:
    """The settings that are limits, where a parameter is over them, by name."""
    most = {name: getattr(settings, name) for name in LIMITED}
    return {name: limit for name, limit in most.items() if (getattr(parameters, name) or 0) > limit}


def _allowed(settings: Settings, default: ModelRef) -> set[str]:
    return {str(default), *settings.models_allowed}
