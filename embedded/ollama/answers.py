"""Parts of requests and answers, with Ollama's error messages."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse


class ApiError(Exception):
    """Answered with `status` and `{"error": message}`. Within a stream it is the last line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.message}, self.status)


async def json_body(request: Request) -> dict[str, Any]:
    """A request's body.

    Raises:
        ApiError: 400, with the message of Go's decoder.
    """
    raw = await request.body()
    if not raw:
        raise ApiError(400, "missing request body")
    try:
        body = json.loads(raw)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
            raise ApiError(400, "unexpected EOF") from error
        character = error.doc[error.pos]
        raise ApiError(400, f"invalid character '{character}' looking for beginning of value") from error
    except UnicodeDecodeError as error:
        raise ApiError(400, "invalid UTF-8 in request body") from error
    if not isinstance(body, dict):
        raise ApiError(400, f"json: cannot unmarshal {go_kind(body)} into Go value of type api.Request")
    return body


def go_kind(value: object) -> str:
    """The name of a JSON value's type in messages of Go's decoder."""
    kinds: list[tuple[type, str]] = [(bool, "bool"), (int, "number"), (float, "number"), (str, "string")]
    kinds += [(list, "array"), (dict, "object")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def text_field(body: dict[str, Any], field: str, owner: str) -> str:
    """A text field; empty if it is absent or null. `owner` is the Go struct's name in the error message.

    Raises:
        ApiError: 400; the field is no text.
    """
    value = body.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        message = f"json: cannot unmarshal {go_kind(value)} into Go struct field {owner}.{field} of type string"
        raise ApiError(400, message)
    return value


def timestamp(moment: datetime | None = None) -> str:
    """The time (default: now) by RFC 3339 in UTC, as Go writes it."""
    return (moment or datetime.now(UTC)).isoformat().replace("+00:00", "Z")


def ndjson(lines: AsyncIterator[dict[str, Any]]) -> StreamingResponse:
    return StreamingResponse((_line(line) async for line in lines), media_type="application/x-ndjson")


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
