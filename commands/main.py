"""`annotune`: the commands, and how their errors reach a terminal."""

import sys
from contextlib import ExitStack
from typing import Any

import click

from annotune.errors import AnnotuneError, ConfigurationError
from commands.connect import connect, disconnect
from commands.desk import Desk
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


class Misconfigured(Failed):
    """As `Failed`, where a setting is missing or wrong."""

    exit_code = 2


class Commands(click.Group):
    """Our errors become click's."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise Misconfigured(error) from error
        except AnnotuneError as error:
            raise Failed(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def annotune(ctx: click.Context) -> None:
    """The Label Studio backend that learns from its annotators. Configured by the environment alone."""
    ctx.obj = Desk(ctx.with_resource(ExitStack()))


for command in (serve, worker, connect, disconnect, models, predict, predictions, train, prompts, status):
    annotune.add_command(command)


def main() -> None:
    """The entry point of the script."""
    sys.exit(annotune(prog_name="annotune"))
