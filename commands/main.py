"""`annotune`: the commands, and how their errors reach a terminal."""

import sys
from contextlib import ExitStack
from typing import Any

import click

from annotune.errors import AnnotuneError, ConfigurationError, RequestInvalid
from commands.context import CommandContext
from commands.group import LazyGroup, Subcommand
from commands.output import shown

# The summaries are the first sentences of the commands' help; a test compares them.
SUBCOMMANDS = {
    "serve": Subcommand(
        "commands.processes:serve", "Start the backend, which answers Label Studio, and let it run until it is stopped."
    ),
    "worker": Subcommand(
        "commands.processes:worker",
        "Start the worker, which learns from what is annotated, and let it run until it is stopped.",
    ),
    "connect": Subcommand("commands.connect:connect", "Connect PROJECT to the backend, and check what it needs."),
    "disconnect": Subcommand(
        "commands.connect:disconnect",
        "Disconnect PROJECT from the backend, and delete the answers that Redis keeps of it.",
    ),
    "import": Subcommand("commands.import_:import_rows", "Make tasks of PROJECT from the rows of SOURCE."),
    "models": Subcommand("commands.models:models", "List models, and choose which one answers for a project."),
    "predict": Subcommand(
        "commands.predict:predict", "Predict the tasks of PROJECT, and push the predictions to Label Studio."
    ),
    "predictions": Subcommand("commands.predictions:predictions", "Repair the predictions that Label Studio stores."),
    "project": Subcommand("commands.project:project", "Make projects from templates, and list projects and templates."),
    "curate": Subcommand("commands.curate:curate", "Make tasks of what people accepted in another project."),
    "dataset": Subcommand("commands.dataset:dataset", "Make datasets of annotations, and look into them."),
    "train": Subcommand("commands.train:train", "Request a training of a new version for PROJECT, and watch it."),
    "prompts": Subcommand("commands.prompts:prompts", "List, show, compare and choose the prompts of a project."),
    "status": Subcommand(
        "commands.status:status",
        "Show the worker, the queue, and for each project its model, prompt, annotations and training.",
    ),
}


class Failed(click.ClickException):
    """Prints one sentence on standard error and no traceback."""

    def __init__(self, error: AnnotuneError) -> None:
        super().__init__(shown(str(error)))


class Misused(Failed):
    """As `Failed`, for a setting or an argument that is missing or wrong."""

    exit_code = 2


class Commands(LazyGroup):
    """Turns our errors into click's."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnotuneError as error:
            # RequestInvalid itself is about an argument; its subclasses are about a project, a prompt or a task.
            misused = isinstance(error, ConfigurationError) or type(error) is RequestInvalid
            raise (Misused if misused else Failed)(error) from error


@click.group(cls=Commands, subcommands=SUBCOMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="annotune", message="%(prog)s %(version)s")
@click.pass_context
def annotune(ctx: click.Context) -> None:
    """The Label Studio backend that learns from its annotators. Configured by the environment alone."""
    ctx.obj = CommandContext(ctx.with_resource(ExitStack()))


def main() -> None:
    """The entry point of the script."""
    sys.exit(annotune(prog_name="annotune"))
