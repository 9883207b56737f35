"""The web server: gunicorn with threads, configured in code."""

import logging
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from annotune.connection import connect_redis
from annotune.live import Live
from annotune.log import set_up
from annotune.queue import Jobs
from annotune.servers.pool import Servers, default_ref
from annotune.settings import Settings
from annotune.store import Store
from backend.app import create_app
from backend.credentials import Credentials

DEFAULT_HOST = "0.0.0.0"  # noqa: S104 - Label Studio calls from another container
DEFAULT_PORT = 9090
BEYOND_DEADLINE_S = 10
KEEPALIVE_S = 5
log = logging.getLogger(__name__)


class WebServer(BaseApplication):  # type: ignore[misc]
    """Each worker makes its own clients after the fork, since connections must not be shared between processes."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        longest_s = int(self._settings.model_deadline_s) + BEYOND_DEADLINE_S
        return {
            "bind": self._address,
            "worker_class": "gthread",
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "timeout": longest_s,
            "graceful_timeout": longest_s,
            "keepalive": KEEPALIVE_S,
            "preload_app": False,
            "accesslog": None,
            "loglevel": self._settings.log_level.lower(),
            "control_socket_disable": True,
            "proc_name": "annotune",
        }

    def load(self) -> Flask:
        """Called in each worker."""
        settings = self._settings
        store = Store.connect(settings.redis_url, deployment=settings.deployment, patience="web")
        queue = connect_redis(settings.redis_url, patience="web", decode=False)
        app = create_app(settings, store=store, servers=Servers(settings), jobs=Jobs(store, queue))
        app.extensions["health"].start()
        return app


def serve(settings: Settings, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> None:
    """Serve until stopped; ends the process.

    Raises:
        ConfigurationError: a setting is wrong; told before anything listens.
    """
    set_up(settings.log_level)
    announce(settings, host, port)
    WebServer(settings, host, port).run()


def announce(settings: Settings, host: str, port: int) -> None:
    """Check the settings, and log what the deployer should know.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    credentials = Credentials.of(settings)
    default = Live(settings, Store.connect(settings.redis_url, deployment=settings.deployment)).default
    log.info("listening at http://%s:%d; where a project has no model of its own, %s answers", host, port, default.ref)
    if default_ref(settings).server == "ollama":
        log.info("Ollama is expected at %s", settings.ollama_url)
    if credentials.webhook_is_open:
        log.warning("/webhook is open to anyone: set WEBHOOK_SECRET, or BASIC_AUTH_USER and BASIC_AUTH_PASS")
    elif not credentials.basic:
        log.warning(
            "START_TRAINING will be refused, since Label Studio sends no header with it:"
            " set BASIC_AUTH_USER and BASIC_AUTH_PASS beside WEBHOOK_SECRET"
        )
