"""Parsed labeling configs: Label Studio sends one with each request, mostly the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from annotune.labeling.config import Labeling

MAX_CONFIGS = 64
MAX_CHARACTERS = 1_000_000  # of all that are kept; parsed they take 54 times as many bytes
LARGE_CONFIG = 100_000  # characters


class LabelingCache:
    """Keeps what was parsed last. Large ones are parsed one at a time, and not kept where they are a quarter of all."""

    def __init__(self, parse: Callable[[str], Labeling]) -> None:
        self._parse = parse
        self._kept: OrderedDict[str, Labeling] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def __call__(self, config: str) -> Labeling:
        """Raises LabelingInvalid where it cannot be served."""
        with self._lock:
            if config in self._kept:
                self._kept.move_to_end(config)
                return self._kept[config]
        if len(config) > LARGE_CONFIG:
            with self._one_at_a_time:
                labeling = self._parse(config)
        else:
            labeling = self._parse(config)
        if len(config) <= MAX_CHARACTERS // 4:
            self._keep(config, labeling)
        return labeling

    def _keep(self, config: str, labeling: Labeling) -> None:
        with self._lock:
            if config not in self._kept:
                self._kept[config] = labeling
                self._characters += len(config)
            while len(self._kept) > MAX_CONFIGS or self._characters > MAX_CHARACTERS:
                oldest, _ = self._kept.popitem(last=False)
                self._characters -= len(oldest)
