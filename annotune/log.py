"""One way to log: time, level, room, message, to standard error. Payloads and secrets are never logged."""

import logging
import sys


def set_up(level: str) -> None:
    """Called once, by a process's main function."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for noisy in ("httpx", "httpcore", "httpx2", "openai", "urllib3", "rq.worker", "rq.job"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
