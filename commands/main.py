"""`annotune`: the commands, and how their errors reach a terminal."""

import sys
from contextlib import ExitStack
from typing import Any

import click

from annotune.errors import AnnotuneError, ConfigurationError, RequestInvalid
from commands.connect import connect, disconnect
from commands.context import CommandContext
from commands.models import models
from commands.output import shown
from commands.predict import predict
from commands.predictions import predictions
from commands.processes import serve, worker
from commands.prompts import prompts
from commands.status import status
from commands.train import train


class Failed(click.ClickException):
    """One sentence on standard error, and no traceback."""

    def __init__(self, error: AnnotuneError) -> None:
        super().__init__(shown(str(error)))


class Misused(Failed):
    """As `Failed`, where a setting or an argument is missing or wrong."""

    exit_code = 2


class Commands(click.Group):
    """Our errors become click's."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnotuneError as error:
            # What came through this door is an argument; what is under it is told of a project, a prompt or a task.
            wrong = isinstance(error, ConfigurationError) or type(error) is RequestInvalid
            raise (Misused if wrong else Failed)(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="annotune", message="%(prog)s %(version)s")
@click.pass_context
def annotune(ctx: click.Context) -> None:
    """The Label Studio backend that learns from its annotators. Configured by the environment alone."""
    ctx.obj = CommandContext(ctx.with_resource(ExitStack()))


for command in (serve, worker, connect, disconnect, models, predict, predictions, train, prompts, status):
    annotune.add_command(command)


def main() -> None:
    """The entry point of the script."""
    sys.exit(annotune(prog_name="annotune"))
