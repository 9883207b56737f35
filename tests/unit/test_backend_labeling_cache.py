"""The cache of labeling configs is bounded, and parses each config once."""

import pytest

from annotune.errors import LabelingInvalid
from annotune.labeling.config import Labeling
from backend.labeling_cache import LARGE_CONFIG, MAX_CHARACTERS, MAX_CONFIGS, LabelingCache

SIMPLE = '<View><Text name="t" value="$q"/><TextArea name="r" toName="t"/></View>'


class Parser:
    """Counts what it parses."""

    def __init__(self) -> None:
        self.parsed: list[str] = []

    def __call__(self, config: str, fills: tuple[str, ...] | None) -> Labeling:
        self.parsed.append(config)
        return Labeling.parse(config, fills=fills)


@pytest.fixture
def parser() -> Parser:
    return Parser()


def config(number: int, size: int = 0) -> str:
    return SIMPLE.replace("<Text", f"<!--{number}{'x' * size}--><Text")


def test_a_config_is_parsed_once(parser: Parser) -> None:
    configs = LabelingCache(parser)

    assert configs(SIMPLE) is configs(str(SIMPLE))
    assert len(parser.parsed) == 1


def test_the_one_used_longest_ago_goes_first(parser: Parser) -> None:
    configs = LabelingCache(parser)
    for number in range(MAX_CONFIGS):
        configs(config(number))
    configs(config(0))
    configs(config(MAX_CONFIGS))
    parser.parsed.clear()
    configs(config(0))
    configs(config(1))

    assert parser.parsed == [config(1)]


def test_all_together_have_a_bound_in_characters(parser: Parser) -> None:
    configs = LabelingCache(parser)
    size = MAX_CHARACTERS // 10
    for number in range(30):
        configs(config(number, size))
    parser.parsed.clear()
    for number in reversed(range(30)):
        configs(config(number, size))

    assert 20 < len(parser.parsed) < 30


def test_a_config_that_is_large_alone_is_not_kept(parser: Parser) -> None:
    configs = LabelingCache(parser)
    for _ in range(2):
        configs(config(1, MAX_CHARACTERS // 4))

    assert len(parser.parsed) == 2


@pytest.mark.parametrize("size", [1, LARGE_CONFIG + 1])
def test_one_that_cannot_be_parsed_leaves_nothing_behind(parser: Parser, size: int) -> None:
    configs = LabelingCache(parser)
    for _ in range(2):
        with pytest.raises(LabelingInvalid):
            configs("<View>" + " " * size)

    assert configs(config(1, size))


def test_a_config_is_parsed_anew_for_other_controls(parser: Parser) -> None:
    config = """<View><Text name="t" value="$t"/><TextArea name="response" toName="t"/>
        <Rating name="rating" toName="t"/></View>"""
    cache = LabelingCache(parser)

    found = [cache(config), cache(config, ("response",)), cache(config, ("rating",)), cache(config, ("response",))]

    assert [[control.name for control in labeling.controls] for labeling in found] == [
        ["response", "rating"], ["response"], ["rating"], ["response"],
    ]  # fmt: skip
    assert len(parser.parsed) == 3
