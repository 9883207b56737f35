"""What the commands share, each part made when a command first asks for it."""

from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Any

import click

from annotune.errors import LabelStudioError, StoreUnavailable
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import ProjectRow
from annotune.settings import Settings, load_settings
from annotune.store.queue import JobQueue
from annotune.store.redis import Patience, connect_redis
from annotune.store.store import Store
from commands.customer import ProjectConnection
from commands.output import PlainConsole, console, say


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
    """Settings, Redis and Label Studio for one command."""

    def __init__(self, opened: ExitStack) -> None:
        """What is opened is closed with `opened`."""
        self._opened = opened

    @cached_property
    def settings(self) -> Settings:
        return load_settings()

    @cached_property
    def store(self) -> Store:
        return self._store("web")

    @cached_property
    def patient_store(self) -> Store:
        """For a long wait, that a restart of Redis must not end."""
        return self._store("job")

    def _store(self, patience: Patience) -> Store:
        store = Store.connect(self.settings.redis_url, deployment=self.settings.deployment, patience=patience)
        self._opened.callback(store.close)
        return store

    @cached_property
    def jobs(self) -> JobQueue:
        connection = connect_redis(self.settings.redis_url, patience="web", decode=False)
        self._opened.callback(connection.close)
        return JobQueue(self.store, connection)

    @cached_property
    def console(self) -> PlainConsole:
        """Standard output, for tables and bars."""
        return console()

    @property
    def has_label_studio(self) -> bool:
        return bool(self.settings.label_studio_url and self.settings.label_studio_api_key)

    @cached_property
    def studio(self) -> LabelStudioClient:
        """A client of Label Studio.

        Raises:
            ConfigurationError: its address or its key is not set.
        """
        studio = LabelStudioClient.from_settings(self.settings)
        self._opened.callback(studio.close)
        return studio

    def listed(self, project: int) -> ProjectRow:
        """A project, all of whose tasks may be read.

        Raises:
            NotFound: there is no such project.
            LabelStudioError: reading its tasks would make Label Studio fetch predictions itself.
        """
        shown = self.studio.project(project)
        if shown.evaluate_predictions_automatically:
            raise LabelStudioError(
                f"project {project} has evaluate_predictions_automatically on: Label Studio would itself fetch predictions"
                f" for all tasks that are only looked at; switch it off there (PATCH /api/projects/{project})"
            )
        return shown

    def connection(self, project: int) -> ProjectConnection:
        return ProjectConnection(self.studio, project)

    def known(self, project: int) -> int:
        """The project's number, if Label Studio has it; unasked where Label Studio is not configured.

        Raises:
            NotFound: there is no such project.
        """
        if self.has_label_studio:
            self.connection(project).title()
        return project

    def keep(self, project: int) -> None:
        """Have the worker write a project's pointers and prompts into its RUNS_DIR, for `models rebuild`."""
        with suppress(StoreUnavailable):  # it does so by itself now and then
            self.jobs.changed(project)
            if not self.store.has_worker():
                say("no worker is alive: its copy in RUNS_DIR follows when 'annotune worker' runs", err=True)
