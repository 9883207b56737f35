"""The JSON object of a model's reply."""

import json
from typing import Any

from annotune.errors import AnswerInvalid

MAX_REPLY_CHARACTERS = 500_000
MAX_OBJECTS_TRIED = 20


def read_json_object(reply: str) -> dict[str, Any]:
    """The only JSON object in a reply. Words or a fence may surround it, since some servers ignore the schema.

    Raises:
        AnswerInvalid: the reply has none, or more than one, or is too long.
    """
    if len(reply) > MAX_REPLY_CHARACTERS:
        raise AnswerInvalid(f"the answer has {len(reply)} characters, of at most {MAX_REPLY_CHARACTERS}: be brief")
    decoder = json.JSONDecoder(object_pairs_hook=_unique_fields, parse_constant=_refuse_constant)
    found: list[dict[str, Any]] = []
    at, tried = reply.find("{"), 0
    while at >= 0 and tried < MAX_OBJECTS_TRIED:
        tried += 1
        try:
            fields, end = decoder.raw_decode(reply, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(fields)
        at = reply.find("{", end)
    if len(found) != 1 or at >= 0:
        number = "more than one" if found else "no"
        raise AnswerInvalid(f"the answer has {number} JSON object: give one, alone, without a word around it")
    return found[0]


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is there twice")
    return fields


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
