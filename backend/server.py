"""The web server: gunicorn with threads, configured in code."""

import errno
import gc
import logging
import resource
import socket
from ipaddress import ip_address
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from annotune.errors import AddressRefused, ConfigurationError
from annotune.log import set_up
from annotune.servers.pool import Servers, default_ref
from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.store.connection import open_store
from backend.app import create_app
from backend.credentials import Credentials
from backend.web_worker import WebWorker

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - Label Studio calls from another container
LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 9090
REPLY_MARGIN_S = 10
KEEPALIVE_S = 5
MAX_CONNECTIONS = 1000
GENERATOR_COMMAND = 'python3 -c "import secrets; print(secrets.token_urlsafe(24))"'
RESERVED_FILES = 256  # for connections to Redis, model servers and Label Studio
log = logging.getLogger(__name__)


class WebServer(BaseApplication):  # type: ignore[misc]
    """Each worker process makes its own clients after the fork: processes cannot share connections."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    @property
    def largest_body(self) -> int:
        """Bytes of the largest body that is accepted."""
        return self._settings.largest_body

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        longest_s = int(self._settings.model_deadline_s) + REPLY_MARGIN_S
        return {
            "bind": self._address,
            "worker_class": WebWorker,
            "worker_connections": _connections(),
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
            "worker_exit": _stop_health,
        }

    def load(self) -> Flask:
        """The Flask application; gunicorn calls this in each worker process."""
        settings = self._settings
        store, jobs = open_store(settings)
        app = create_app(settings, store=store, servers=Servers(settings), jobs=jobs)
        app.extensions["health"].start()
        # The loaded modules stay for good. Without the freeze, each full collection visits them, for 0.1 s.
        gc.collect()
        gc.freeze()
        return app


def serve(settings: Settings, host: str | None = None, port: int = DEFAULT_PORT) -> None:
    """Serve until stopped; then the process ends.

    Without a host it listens on all addresses if requests need a password, and on loopback if not (see `default_host`).

    Raises:
        ConfigurationError: a setting is wrong, or anyone could use the backend.
        AddressRefused: this process cannot listen there.
    """
    set_up(settings.log_level)
    host = default_host(settings) if host is None else host
    check_address(host, port)
    announce(settings, host, port)
    WebServer(settings, host, port).run()


def default_host(settings: Settings) -> str:
    """All addresses if requests need a password, or ALLOW_ANONYMOUS is set; else loopback.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    return ALL_ADDRESSES if settings.allow_anonymous or Credentials.of(settings).basic else LOOPBACK


def announce(settings: Settings, host: str, port: int) -> None:
    """Check the settings, and log the address, the default model and warnings.

    Raises:
        ConfigurationError: a setting is wrong, or anyone could use the backend.
    """
    credentials = Credentials.of(settings)
    if not credentials.basic and not settings.allow_anonymous and not _is_loopback(host):
        raise ConfigurationError(
            f"anyone who reaches {host}:{port} could ask, train and set parameters: set BASIC_AUTH_USER and"
            f" BASIC_AUTH_PASS (a password: {GENERATOR_COMMAND}), or ALLOW_ANONYMOUS=1 if that is meant, or listen at"
            f" --host {LOOPBACK}"
        )
    default = ServingResolver(settings, open_store(settings).store).default
    log.info("listening at http://%s:%d; %s answers projects that have no model of their own", host, port, default.ref)
    if default_ref(settings).server == "ollama":
        log.info("Ollama is expected at %s", settings.ollama_url)
    for line in credentials.gaps:
        log.warning("%s", line)


def check_address(host: str, port: int) -> None:
    """Listen there for a moment. gunicorn itself retries a port that is in use for several seconds.

    Raises:
        AddressRefused: this process cannot listen there. The message says why and what to do.
    """
    try:
        with _listener(host, port):
            return
    except socket.gaierror as error:
        raise AddressRefused(f"the host {host!r} is not known: give --host an address of this machine") from error
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"port {port} of {host} is taken: end what listens there, or give another --port",
            errno.EACCES: f"port {port} is for the administrator: give --port one of 1024 or above",
            errno.EADDRNOTAVAIL: f"{host} is no address of this machine: give --host one that is, or 0.0.0.0 for all",
        }
        reason = reasons.get(error.errno or 0, f"nothing can listen at {host}:{port}: {error.strerror}")
        raise AddressRefused(reason) from error


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
    try:
        listener.bind((host, port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _stop_health(_arbiter: Any, worker: Any) -> None:
    """Stop the background checks; gunicorn calls this in each worker that ends."""
    if worker.wsgi is not None:
        worker.wsgi.extensions["health"].stop()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _connections() -> int:
    """The most connections of one process: `MAX_CONNECTIONS`, or fewer if it may open fewer files.

    A process that has no file left for a new connection would answer nobody.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(64, min(MAX_CONNECTIONS, files - RESERVED_FILES))
