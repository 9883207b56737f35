"""What the commands share."""

from contextlib import ExitStack, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from annotune.errors import StoreUnavailable
from commands.output import PlainConsole, console, say

if TYPE_CHECKING:
    from curation.api import Annotune


class ProjectNumber(click.IntRange):
    """The number of a project."""

    name = "project"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(
                f"{value!r} is no project: write the number in its address in Label Studio, such as 4",
                param,
                ctx,
            )


PROJECT = ProjectNumber(min=1)


class CommandContext:
    """What one command works with, each part made when it is first used."""

    def __init__(self, opened: ExitStack) -> None:
        """What is opened is closed with `opened`."""
        self._opened = opened

    @cached_property
    def api(self) -> "Annotune":
        """The Python API.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        from curation.api import Annotune  # noqa: PLC0415 - it takes a second, and `--help` needs none of it

        return self._opened.enter_context(Annotune.from_environment())

    @cached_property
    def console(self) -> PlainConsole:
        """Standard output, for tables and bars."""
        return console()

    def warn_without_worker(self) -> None:
        """Say so if no worker is alive to copy what changed to RUNS_DIR."""
        with suppress(StoreUnavailable):
            if not self.api.context.store.workers.alive():
                say("no worker is alive: its copy in RUNS_DIR follows when 'annotune worker' runs", err=True)
