"""One way to log: time, level, room, message, to standard error. Payloads and secrets are never logged."""

import logging
import sys
import traceback
import uuid

from annotune.errors import Unexpected

_log = logging.getLogger(__name__)


def set_up(level: str) -> None:
    """Called once, by a process's main function."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "openai", "urllib3", "rq.worker", "rq.job"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def unexpected(error: Exception) -> Unexpected:
    """Log a fault of our own with its traceback, and give what people are told of it."""
    number = uuid.uuid4().hex[:8]
    _log.error("unexpected error %s\n%s", number, where(error))
    return Unexpected(number)


def where(error: BaseException) -> str:
    """The traceback of an error and its class. Its message is left out, since it may quote what people wrote."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}"
