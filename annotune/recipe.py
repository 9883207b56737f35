"""Training recipes: the hyper-parameters of a training, from `prompts/recipes/*.toml`. Saved beside the weights."""

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from annotune.errors import ConfigurationError
from annotune.models import VERSION_SERVER, ModelRef
from annotune.shipped import shipped
from annotune.values import StrictModel

RECIPES = shipped("recipes")


def recipe_names() -> str:
    """The names in `prompts/recipes/`, quoted, with commas between them."""
    return ", ".join(repr(entry.stem) for entry in sorted(RECIPES.glob("*.toml")))


class Lora(StrictModel):
    """The LoRA adapter: its rank `r`, its scale `alpha`, and the modules that get one."""

    r: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    bias: Literal["none", "all", "lora_only"]
    target_modules: tuple[str, ...]
    use_rslora: bool
    gradient_checkpointing: Literal["none", "unsloth"]
    random_state: int


class Training(StrictModel):
    """The optimisation. It ends after `epochs` or `max_steps`; 0 means that the other one decides."""

    batch_size: int = Field(ge=1)
    gradient_accumulation_steps: int = Field(ge=1)
    warmup_steps: int = Field(ge=0)
    epochs: float = Field(ge=0)
    max_steps: int = Field(ge=0)
    learning_rate: float = Field(gt=0)
    optimizer: str
    weight_decay: float = Field(ge=0)
    scheduler: str
    packing: bool
    precision: Literal["auto", "fp32", "fp16", "bf16"]
    seed: int


class Recipe(StrictModel):
    """A training from the base model to the served file. `max_seq_length` and `num_ctx` are in tokens.

    `base` is a Hugging Face name, a folder, or `package:MODULE/FILE.gguf`. `revision` pins a base on the hub to a branch, a
    tag or a commit (only a commit never moves); empty means the default branch at the time of the download. `served_as`
    lists the names that the base has on model servers. An empty `chat_template` keeps the base's own.
    """

    base: str
    revision: str = Field("", pattern=r"^[\w.\-/]*$")
    served_as: tuple[str, ...]
    device: Literal["cpu", "cuda"]
    max_seq_length: int = Field(ge=32)
    load_in_4bit: bool
    dtype: Literal["auto", "float32", "float16", "bfloat16"]
    chat_template: str
    quantization: Literal["q8_0", "q4_k_m", "f16"]
    num_ctx: int = Field(ge=256)
    lora: Lora
    training: Training

    @field_validator("revision")
    @classmethod
    def _on_the_hub(cls, revision: str, others: ValidationInfo) -> str:
        base = str(others.data.get("base", ""))
        if revision and (base.startswith(("package:", "/", ".", "~")) or Path(base).is_dir()):
            raise ValueError(f"only a base on the hub has revisions, and {base!r} is not on the hub: leave it empty")
        return revision

    @classmethod
    def load(cls, name: str) -> Self:
        """The recipe of a name in `prompts/recipes/`, or of a file's path.

        Raises:
            ConfigurationError: there is no such recipe, or it does not validate.
        """
        path = RECIPES / f"{name}.toml" if "/" not in name and not name.endswith(".toml") else Path(name)
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigurationError(
                f"RECIPE={name!r} is no recipe: choose one of {recipe_names()}, or a file's path"
            ) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(f"the recipe {str(path)!r} is wrong at {key!r}: {first['msg']}") from error
        except ValueError as error:  # no TOML, or no UTF-8
            raise ConfigurationError(f"the recipe {str(path)!r} is no TOML: {error}") from error

    def is_base(self, ref: ModelRef) -> bool:
        """Is this model the recipe's base?"""
        bare = ref.model.removesuffix(":latest")
        return ref.server == VERSION_SERVER and bare in {name.removesuffix(":latest") for name in self.served_as}
