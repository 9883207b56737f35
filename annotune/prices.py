"""The prices of models, from `prompts/prices.toml` or a file like it."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError

from annotune.errors import ConfigurationError
from annotune.models import ModelRef
from annotune.servers.pool import capabilities_of
from annotune.shipped import shipped
from annotune.values import FrozenModel

PRICES = shipped("prices.toml")
MILLION = 1_000_000


class Price(FrozenModel):
    """USD per million tokens, of the prompt and of the answer."""

    prompt: float = Field(ge=0, allow_inf_nan=False)
    answer: float = Field(ge=0, allow_inf_nan=False)

    def usd(self, prompt_tokens: float, answer_tokens: float) -> float:
        """The cost of so many tokens, in USD."""
        return (self.prompt * prompt_tokens + self.answer * answer_tokens) / MILLION


FREE = Price(prompt=0, answer=0)


class Prices(FrozenModel):
    """A price table, and the day on which its prices were noted.

    A name is `server:model`. A name that ends in `*` stands for all names with that beginning.
    """

    noted: date
    usd_per_million_tokens: dict[str, Price]

    @classmethod
    def load(cls, path: Path = PRICES) -> Self:
        """Read a table.

        Raises:
            ConfigurationError: the file cannot be read, or is no price table. The message says what to fix.
        """
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigurationError(f"the price table {path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(f"the price table {path} is wrong at {where}: {first['msg']}") from error
        except ValueError as error:
            raise ConfigurationError(f"the price table {path} is no TOML: {error}") from error

    def of(self, ref: ModelRef) -> Price | None:
        """The price of a model, by its name, else by the longest beginning that fits. None: no price is known.

        A model that the table does not have costs nothing on a server that is free.
        """
        name, table = str(ref), self.usd_per_million_tokens
        begins = [entry for entry in table if entry.endswith("*") and name.startswith(entry[:-1])]
        if name in table:
            return table[name]
        if begins:
            return table[max(begins, key=len)]
        return FREE if capabilities_of(ref.server).free else None
