"""What a person gives a connection in Label Studio's model settings (`extra_params`): how its projects are asked."""

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
    """Each wins over its setting, up to the setting's own limit; an address or a key is never one of them.

    They are kept, and the limits may be lowered afterwards: see `within`.
    """

    provider: ServerName | None = None
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    num_responses: Annotated[int, Field(ge=1, le=16)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    num_ctx: Annotated[int, Field(ge=256)] | None = None
    thinking: bool | None = None

    @classmethod
    def read(cls, given: object, settings: Settings, default: ModelRef) -> Self | None:
        """What Label Studio sent; None where it is nothing.

        Raises:
            RequestInvalid: a name is unknown, a value does not fit, or the model is not allowed; the message names it and
                never shows another value.
        """
        if not given:
            return None
        try:
            found = cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "extra_params"
            raise RequestInvalid(
                f"the extra parameter {name!r} is wrong ({first['msg']}): it may be one of {', '.join(cls.model_fields)}"
            ) from None
        return found.checked(settings, default)

    def checked(self, settings: Settings, default: ModelRef) -> Self:
        """Itself, if it keeps to the limits and the allow-list. Raises RequestInvalid."""
        for name, most in _over(self, settings).items():
            raise RequestInvalid(f"the extra parameter {name!r} is over {most}, the setting {name.upper()}")
        if not self._is_allowed(settings, default):
            raise RequestInvalid(
                f"the extra parameters choose {self.ref(default)}, which is not allowed: choose one of"
                f" {', '.join(sorted(_allowed(settings, default)))}, or add it to ALLOWED_MODELS"
            )
        return self

    def within(self, settings: Settings, default: ModelRef) -> Self:
        """Itself, as far as the limits and the allow-list of now let it: no number is over its setting, and without leave
        for its model the default answers.
        """
        chosen = {} if self._is_allowed(settings, default) else {"provider": None, "model": None}
        return self.model_copy(update=_over(self, settings) | chosen)

    def _is_allowed(self, settings: Settings, default: ModelRef) -> bool:
        return str(self.ref(default)) in _allowed(settings, default)

    def ref(self, default: ModelRef) -> ModelRef:
        """The model that they choose."""
        if self.provider is None and self.model is None:
            return default
        return ModelRef(server=self.provider or default.server, model=self.model or default.model)

    def over(self, options: Options) -> Options:
        """The options with these in place of theirs."""
        mine = self.model_dump(exclude_none=True, exclude={"provider", "model", "thinking"})
        return replace(options, **mine, think=options.think if self.thinking is None else self.thinking)


def _over(parameters: ExtraParams, settings: Settings) -> dict[str, int]:
    """The settings that are limits and lower than what is given, by name."""
    most = {name: getattr(settings, name) for name in LIMITED}
    return {name: limit for name, limit in most.items() if (getattr(parameters, name) or 0) > limit}


def _allowed(settings: Settings, default: ModelRef) -> set[str]:
    return {str(default), *settings.models_allowed}
