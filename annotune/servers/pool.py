"""One client for each model server, for the life of the process."""

import threading

from annotune.models import ModelRef, ServerName
from annotune.servers.base import ModelServer
from annotune.servers.capabilities import Capabilities
from annotune.servers.concurrency import LimitedServer
from annotune.servers.ollama import OllamaClient
from annotune.servers.openai import OpenAIClient
from annotune.settings import Settings

ADAPTERS: dict[ServerName, type[OllamaClient | OpenAIClient]] = {
    "ollama": OllamaClient,
    "openai": OpenAIClient,
    "azure": OpenAIClient,
}


def capabilities_of(name: ServerName) -> Capabilities:
    """What a model server can do. It needs no settings and no connection."""
    return ADAPTERS[name].capabilities


class Servers:
    """The model servers that the settings name. Each client is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: dict[ServerName, ModelServer] = {}

    def get(self, name: ServerName) -> ModelServer:
        """The server of that name.

        Raises:
            ConfigurationError: its settings are missing or wrong.
        """
        with self._lock:
            if name not in self._made:
                self._made[name] = LimitedServer(self._make(name), self._settings.calls_per_worker)
            return self._made[name]

    def _make(self, name: ServerName) -> ModelServer:
        match name:
            case "ollama":
                return OllamaClient(self._settings.ollama_url)
            case "openai":
                return OpenAIClient.from_settings(self._settings)
            case "azure":
                return OpenAIClient.azure(self._settings)

    def close(self) -> None:
        """Close all connections."""
        for server in self._made.values():
            server.close()


def default_ref(settings: Settings) -> ModelRef:
    """The model that answers projects without one of their own."""
    model = settings.openai_model
    if settings.openai_provider == "azure" and settings.azure_deployment_name:
        model = settings.azure_deployment_name
    return ModelRef(server=settings.openai_provider, model=model)
