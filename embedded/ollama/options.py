"""The options of a request, over those of the model and Ollama's defaults. Wrong types give Ollama's errors."""

import re
from collections.abc import Mapping
from typing import Any

from embedded.ollama.answers import ApiError

# The type of each option, as its error names it (Ollama's api/types.go, struct Options).
INTEGERS = {"num_ctx", "num_thread", "num_predict", "num_keep", "seed", "top_k", "repeat_last_n", "num_batch"}
FLOATS = {"temperature", "top_p", "min_p", "typical_p"}
FLOATS |= {"repeat_penalty", "presence_penalty", "frequency_penalty"}
ARRAYS = {"stop"}

# Ollama's names and defaults (api/types.go, DefaultOptions) -> llama-server's names (tools/server/README.md, /completion)
SAMPLING = {
    "num_predict": ("n_predict", -1),
    "num_keep": ("n_keep", 4),
    "seed": ("seed", -1),
    "top_k": ("top_k", 40),
    "top_p": ("top_p", 0.9),
    "min_p": ("min_p", 0.0),
    "typical_p": ("typical_p", 1.0),
    "temperature": ("temperature", 0.8),
    "repeat_last_n": ("repeat_last_n", 64),
    "repeat_penalty": ("repeat_penalty", 1.0),  # off: the recorded greedy answers show it
    "presence_penalty": ("presence_penalty", 0.0),
    "frequency_penalty": ("frequency_penalty", 0.0),
    "stop": ("stop", []),
}

KEEP_ALIVE_S = 5 * 60.0
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"([0-9]*\.?[0-9]+)(ns|us|µs|ms|s|m|h)")


def merged(model_options: Mapping[str, Any], requested: object) -> dict[str, Any]:
    """The model's options with those of the request over them. Unknown options are ignored, as in Ollama.

    Raises:
        ApiError: 500; an option has a wrong type.
    """
    options = {**model_options, **(requested if isinstance(requested, dict) else {})}
    for name, value in options.items():
        _check(name, value)
    known = INTEGERS | FLOATS | ARRAYS
    return {
        name: int(value) if name in INTEGERS else value
        for name, value in options.items()
        if name in known and value is not None
    }


def _check(name: str, value: object) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in INTEGERS and not is_number:
        raise ApiError(500, f'option "{name}" must be of type integer')
    if name in FLOATS and not is_number:
        raise ApiError(500, f'option "{name}" must be of type float32')
    if name in ARRAYS and not isinstance(value, list):
        raise ApiError(500, f'option "{name}" must be of type array')
    if name in ARRAYS and isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise ApiError(500, f'option "{name}" must be of an array of strings')


def sampling(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as fields of a request to llama-server's /completion."""
    return {theirs: options.get(ours, default) for ours, (theirs, default) in SAMPLING.items()}


def keep_alive_s(value: object) -> float:
    """Seconds that a model stays loaded; negative means for ever. None gives Ollama's default.

    Raises:
        ApiError: 400, with Go's message; the value is no duration.
    """
    if value is None:
        return KEEP_ALIVE_S
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value)
    unsigned = text.lstrip("+-")
    parts = DURATION.findall(unsigned)
    if unsigned != "0" and (not parts or "".join(number + unit for number, unit in parts) != unsigned):
        if re.fullmatch(r"[0-9.]+", unsigned):
            raise ApiError(400, f'time: missing unit in duration "{text}"')
        raise ApiError(400, f'time: invalid duration "{text}"')
    seconds = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds
