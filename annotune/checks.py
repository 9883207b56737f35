"""Checks of a deployment's parts."""

from contextlib import closing

from annotune.deadline import Deadline
from annotune.errors import NotFound
from annotune.models import ModelRef, restore_command
from annotune.servers.ollama import OllamaClient
from annotune.servers.pool import Servers
from annotune.settings import Settings


def require_model(settings: Settings, ref: ModelRef, deadline: Deadline) -> None:
    """Return if a model's server answers and has the model. Only Ollama can tell which models it has.

    Raises:
        NotFound: the server does not have the model.
        ModelServerError, ConfigurationError: the server does not answer, or is not configured.
    """
    with closing(Servers(settings)) as servers:
        servers.get(ref.server).check(deadline)
    if ref.server == "ollama":
        with closing(OllamaClient(settings.ollama_url)) as server:
            if server.show(ref.model) is None:
                command = restore_command(ref.model)
                raise NotFound(f"Ollama at {server.url} has no model {ref.model!r}: run '{command}', or choose another")
