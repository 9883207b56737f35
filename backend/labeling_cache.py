"""A cache of parsed labeling configs. Label Studio sends the config with each request, mostly the same one."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from annotune.labeling.config import Labeling

MAX_CONFIGS = 64
MAX_CHARACTERS = 1_000_000  # of all cached configs; a parsed config takes 54 bytes a character
LARGE_CONFIG = 100_000  # characters
Fills = tuple[str, ...] | None


class LabelingCache:
    """Keeps the configs that were used last.

    Large configs are parsed one at a time. A config of over a quarter of `MAX_CHARACTERS` is not kept.
    """

    def __init__(self, parse: Callable[[str, Fills], Labeling]) -> None:
        """`parse` takes a config and the names of the controls that the model fills; None leaves them to the settings."""
        self._parse = parse
        self._cache: OrderedDict[tuple[str, Fills], Labeling] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def __call__(self, config: str, fills: Fills = None) -> Labeling:
        """The parsed config.

        Raises:
            LabelingInvalid: the config cannot be served.
        """
        with self._lock:
            if (config, fills) in self._cache:
                self._cache.move_to_end((config, fills))
                return self._cache[config, fills]
        if len(config) > LARGE_CONFIG:
            with self._one_at_a_time:
                labeling = self._parse(config, fills)
        else:
            labeling = self._parse(config, fills)
        if len(config) <= MAX_CHARACTERS // 4:
            self._add((config, fills), labeling)
        return labeling

    def _add(self, key: tuple[str, Fills], labeling: Labeling) -> None:
        with self._lock:
            if key not in self._cache:
                self._cache[key] = labeling
                self._characters += len(key[0])
            while len(self._cache) > MAX_CONFIGS or self._characters > MAX_CHARACTERS:
                oldest, _ = self._cache.popitem(last=False)
                self._characters -= len(oldest[0])
