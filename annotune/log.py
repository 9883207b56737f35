"""Logging: time, level, module and message, to standard error. Payloads and secrets are never logged."""

import logging
import sys
import traceback
import uuid

from annotune.errors import Unexpected

_log = logging.getLogger(__name__)


def set_up(level: str) -> None:
    """Configure logging. A process's main function calls it once."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "openai", "urllib3", "rq.worker", "rq.job"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def log_unexpected(error: Exception) -> Unexpected:
    """Log a bug with its traceback. Returns the error that people see."""
    number = uuid.uuid4().hex[:8]
    _log.error("unexpected error %s\n%s", number, traceback_of(error))
    return Unexpected(number)


def traceback_of(error: BaseException) -> str:
    """An error's traceback and class. Its message is left out: it may quote what people wrote."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}"
