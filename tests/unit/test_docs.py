"""The pages for people: what they link to is there, and their pictures are small."""

import re
from pathlib import Path

import pytest

from annotune.labeling.config import Labeling

ROOT = Path(__file__).resolve().parents[2]
HISTORY = ROOT / "CHANGELOG.md"
PAGES = sorted([ROOT / "README.md", HISTORY, *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:annotune|backend|curation|trainer|commands|embedded|benchmarks|prompts|tests)/[\w/.-]+\.\w+)`")
CONFIG = re.compile(r"^```xml\n(<View>\n.*?)^```$", re.MULTILINE | re.DOTALL)
LARGEST_PICTURE = 200_000  # bytes


def links(page: Path) -> list[str]:
    """What a page links to in this repository."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith(("http://", "https://"))]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_only_to_what_is_there(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        assert there.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(there), link


@pytest.mark.parametrize("page", sorted({*PAGES} - {HISTORY}), ids=lambda page: page.name)
def test_a_page_names_only_files_that_are_there(page: Path) -> None:
    named = FILE.findall(page.read_text(encoding="utf-8"))

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_labeling_configs_that_pages_show_can_be_served() -> None:
    found = [config for page in PAGES for config in CONFIG.findall(page.read_text(encoding="utf-8"))]

    assert found
    for config in found:
        assert Labeling.parse(config).prompt_control == "prompt"


def test_every_picture_is_shown_and_small() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    pictures = [*ROOT.glob("docs/*.png"), *ROOT.glob("docs/*.svg")]

    assert pictures
    assert [path.name for path in pictures if path not in shown] == []
    assert [path.name for path in pictures if path.stat().st_size > LARGEST_PICTURE] == []
