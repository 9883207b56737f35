"""`annotune serve` and `annotune worker`: the two processes of a deployment."""

import click

from annotune.log import set_up
from commands.context import CommandContext

PORT = click.IntRange(min=1, max=65535)


@click.command()
@click.option("--host", help="Address to listen on; unset: all, or 127.0.0.1 while anybody could ask.")
@click.option("--port", default=9090, show_default=True, type=PORT, help="Port to listen on.")
@click.pass_obj
def serve(context: CommandContext, host: str | None, port: int) -> None:
    """Start the backend, which answers Label Studio, and let it run until it is stopped."""
    from backend.server import serve as serve_backend  # noqa: PLC0415 - other commands do not need gunicorn

    serve_backend(context.api.settings, host, port)


@click.command()
@click.pass_obj
def worker(context: CommandContext) -> None:
    """Start the worker, which learns from what is annotated, and let it run until it is stopped."""
    from trainer.worker import run_worker  # noqa: PLC0415 - other commands do not need rq's worker

    set_up(context.api.settings.log_level)
    run_worker(context.api.settings)
