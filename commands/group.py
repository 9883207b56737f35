"""A group of commands that imports a command's module when that command is used."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Subcommand:
    """Where a command is, and the first sentence of its help."""

    place: str
    """The module and the name in it, as `commands.processes:serve`."""
    summary: str

    def load(self) -> click.Command:
        """The command itself."""
        module, _, name = self.place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


class Subcommands(MutableMapping[str, click.Command]):
    """Commands by name. A look at one imports it; their names and summaries import none."""

    def __init__(self, places: Mapping[str, Subcommand]) -> None:
        self._places = dict(places)
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            self._loaded[name] = self._places[name].load()
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places[name] = Subcommand("", command.get_short_help_str())
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._loaded.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def summary(self, name: str) -> str:
        """What the command does, in one sentence."""
        return self._places[name].summary


class LazyGroup(click.Group):
    """Lists its commands without importing them."""

    commands: Subcommands

    def __init__(self, *arguments: Any, subcommands: Mapping[str, Subcommand] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.commands = Subcommands(subcommands or {})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and what each command does into the group's help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands.summary(name)) for name in self.list_commands(ctx)])
