"""What models cost."""

from datetime import date
from pathlib import Path

import pytest

from annotune.errors import ConfigurationError
from annotune.models import ModelRef
from annotune.prices import FREE, Price, Prices

TABLE = """noted = 2026-11-01
[usd_per_million_tokens]
"openai:gpt-9" = { prompt = 2, answer = 8 }
"openai:gpt-9-*" = { prompt = 1, answer = 4 }
"openai:gpt-9-mini*" = { prompt = 0.5, answer = 2.5 }
"ollama:rented*" = { prompt = 1, answer = 1 }
"""


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    path = tmp_path / "prices.toml"
    path.write_text(TABLE)
    return Prices.load(path)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("openai:gpt-9", Price(prompt=2, answer=8)),
        ("openai:gpt-9-2026", Price(prompt=1, answer=4)),
        ("openai:gpt-9-mini-2026", Price(prompt=0.5, answer=2.5)),
        ("openai:gpt-90", None),
        ("azure:gpt-9", None),
        ("ollama:llama3", FREE),
        ("ollama:rented-70b", Price(prompt=1, answer=1)),
    ],
)
def test_a_name_counts_before_the_longest_beginning(prices: Prices, model: str, price: Price | None) -> None:
    assert prices.of(ModelRef.parse(model)) == price


def test_a_price_is_for_a_million_tokens() -> None:
    assert Price(prompt=2, answer=8).usd(500_000, 250_000) == 3


def test_the_shipped_table_says_when_it_was_noted_and_knows_the_default_model() -> None:
    shipped = Prices.load()

    assert shipped.noted > date(2026, 1, 1)
    assert shipped.of(ModelRef.parse("openai:gpt-3.5-turbo")) is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noted = ", "no TOML"),
        ("[usd_per_million_tokens]", "noted"),
        (TABLE.replace("prompt = 2,", "prompt = -2,"), "gpt-9.prompt"),
        (TABLE.replace("prompt = 2,", "prompt = inf,"), "gpt-9.prompt"),
        (TABLE.replace("prompt = 2,", ""), "gpt-9.prompt"),
        (TABLE + "usd = 3", "usd"),
    ],
)
def test_a_wrong_table_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=message):
        Prices.load(path)


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"prices\.toml cannot be read"):
        Prices.load(tmp_path / "prices.toml")
