"""What somebody who can write to Redis wants a worker to run; the worker of `test_trainer_safe_job.py` could import it."""

import os
from pathlib import Path
from typing import Any


def strike(*_: Any, **__: Any) -> None:
    """Leave a mark."""
    Path(os.environ["HOSTILE_MARK"]).touch()
