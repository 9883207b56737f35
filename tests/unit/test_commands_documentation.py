"""Every command, option, setting and route has its line in the docs."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from annotune.servers.pool import Servers
from annotune.settings import Settings
from annotune.store.connection import open_store
from backend.app import create_app
from commands.documentation import PAGE, configuration
from commands.main import annotune

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
NOWHERE = "redis://127.0.0.1:1/0"


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ALL = dict(commands(annotune, "annotune"))


def section(path: str) -> str:
    """A command's part of the page."""
    _, _, rest = COMMANDS.partition(f"## {path}\n")
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("path", ALL)
def test_a_command_is_documented_with_an_example(path: str) -> None:
    assert re.search(rf"^\$ .*{path}\b", section(path), re.MULTILINE)


@pytest.mark.parametrize("path", ALL)
def test_an_option_is_documented_with_its_command(path: str) -> None:
    options = [option for each in ALL[path].params if isinstance(each, click.Option) for option in each.opts]

    assert [option for option in options if f"`{option}`" not in section(path)] == []


def test_no_command_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"^## (annotune .+)$", COMMANDS, re.MULTILINE)) == set(ALL)


def test_every_command_says_what_it_does() -> None:
    assert [path for path, command in ALL.items() if not command.help] == []


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == configuration(), "run 'python -m commands.documentation'"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_says_what_it_means(name: str) -> None:
    assert Settings.model_fields[name].description


def test_every_route_is_documented() -> None:
    settings = Settings()
    store, jobs = open_store(Settings(redis_url=NOWHERE))
    app = create_app(settings, store=store, servers=Servers(settings), jobs=jobs)
    pages = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("protocol.md", "operations.md"))
    routes = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]

    assert [route for route in routes if f"`{route}`" not in pages] == []
