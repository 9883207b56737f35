"""`annotune`: the commands, and how their errors reach a terminal."""

import sys
from contextlib import ExitStack
from typing import Any

import click

from annotune.errors import AnnotuneError, ConfigurationError, RequestInvalid
from commands.connect import connect, disconnect
from commands.context import CommandContext
from commands.curate import curate
from commands.dataset import dataset
from commands.import_ import import_rows
from commands.models import models
from commands.output import shown
from commands.predict import predict
from commands.predictions import predictions
from commands.processes import serve, worker
from commands.project import project
from commands.prompts import prompts
from commands.status import status
from commands.train import train


class Failed(click.ClickException):
    """Prints one sentence on standard error and no traceback."""

    def __init__(self, error: AnnotuneError) -> None:
        super().__init__(shown(str(error)))


class Misused(Failed):
    """As `Failed`, for a setting or an argument that is missing or wrong."""

    exit_code = 2


class Commands(click.Group):
    """Turns our errors into click's."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnotuneError as error:
            # RequestInvalid itself is about an argument; its subclasses are about a project, a prompt or a task.
            misused = isinstance(error, ConfigurationError) or type(error) is RequestInvalid
            raise (Misused if misused else Failed)(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="annotune", message="%(prog)s %(version)s")
@click.pass_context
def annotune(ctx: click.Context) -> None:
    """The Label Studio backend that learns from its annotators. Configured by the environment alone."""
    ctx.obj = CommandContext(ctx.with_resource(ExitStack()))


for command in (
    serve,
    worker,
    connect,
    disconnect,
    import_rows,
    models,
    predict,
    predictions,
    project,
    curate,
    dataset,
    train,
    prompts,
    status,
):
    annotune.add_command(command)


def main() -> None:
    """The entry point of the script."""
    sys.exit(annotune(prog_name="annotune"))
