"""What the commands share."""

from contextlib import ExitStack
from functools import cached_property
from typing import Any

import click

from annotune.label_studio.client import LabelStudioClient
from annotune.settings import Settings
from annotune.store.queue import JobQueue
from annotune.store.store import Store
from commands.output import PlainConsole, console, say
from curation.api import Annotune
from curation.connection import ProjectConnection


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
    def api(self) -> Annotune:
        """The Python API.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        return self._opened.enter_context(Annotune.from_environment())

    @cached_property
    def console(self) -> PlainConsole:
        """Standard output, for tables and bars."""
        return console()

    @property
    def settings(self) -> Settings:
        return self.api.context.settings

    @property
    def store(self) -> Store:
        return self.api.context.store

    @property
    def jobs(self) -> JobQueue:
        return self.api.context.jobs

    @property
    def has_label_studio(self) -> bool:
        return self.api.context.has_label_studio

    @property
    def studio(self) -> LabelStudioClient:
        return self.api.context.label_studio

    def connection(self, project: int) -> ProjectConnection:
        return ProjectConnection(self.studio, project)

    def known(self, project: int) -> int:
        """The project's number, if Label Studio has it. See `Context.check_project`."""
        self.api.context.check_project(project)
        return project

    def keep(self, project: int) -> None:
        """Have the worker write a project's pointers and prompts into its RUNS_DIR, for `models rebuild`."""
        self.warn_not_copied(self.api.context.save_copy(project))

    def warn_not_copied(self, is_copied: bool) -> None:
        """Say that no worker is alive to copy what changed to RUNS_DIR."""
        if not is_copied:
            say("no worker is alive: its copy in RUNS_DIR follows when 'annotune worker' runs", err=True)
