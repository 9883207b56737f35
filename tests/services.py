"""The types of the shared fixtures."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Found = TypeVar("Found")
Eventually = Callable[..., Found]


@dataclass(frozen=True)
class ServedModel:
    """An Ollama, real or embedded, that has the demo's model."""

    url: str
    model: str
    real: bool


def annotune_command(sigint: str = "default_int_handler") -> list[str]:
    """The command `annotune` with a handler of SIGINT of its own: a process that a script puts in the background ignores
    that signal from the start (`SIG_IGN`), and so do its children.
    """
    program = f"import signal; signal.signal(signal.SIGINT, signal.{sigint}); from commands.main import main; main()"
    return [sys.executable, "-c", program]
