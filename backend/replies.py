"""Error replies: JSON with one sentence, which is the HTTP reason phrase too.

Label Studio (1.23) shows the reason phrase of a failed call, and never its body.
"""

import json
import logging

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from annotune.errors import AnnotuneError, Unauthorized
from annotune.log import log_unexpected

MAX_REASON = 200  # characters
log = logging.getLogger(__name__)
_HTTP_SENTENCES = {
    404: "there is no such route: it is one of /, /health, /setup, /predict, /webhook and /versions",
    405: "this route does not take that method: GET /, /health and /versions, POST /setup, /predict and /webhook",
}


def error_response(status: int, sentence: str) -> Response:
    """An error reply: `{"error": sentence, "status": status}`."""
    reply = jsonify(error=sentence, status=status)
    reply.status = f"{status} {reason_phrase(sentence)}"
    return reply


def error_bytes(status: int, sentence: str) -> bytes:
    """The bytes of the same reply, for a request that does not reach Flask. It closes the connection."""
    body = json.dumps({"error": sentence, "status": status}).encode()
    head = (
        f"HTTP/1.1 {status} {reason_phrase(sentence)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


def reason_phrase(sentence: str) -> str:
    """The sentence as one line of printable ASCII, at most `MAX_REASON` characters: a status line holds nothing else."""
    line = " ".join(sentence.encode("ascii", "replace").decode().split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 3]}..."


def register_error_handlers(app: Flask) -> None:
    """Answer all errors of an app with `error_response`."""
    app.register_error_handler(AnnotuneError, _annotune_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)


def _annotune_error(error: AnnotuneError) -> Response:
    log.warning("%d %s: %s", error.status, type(error).__name__, error)
    # A frame of the traceback holds a list with this error: a cycle that would keep the request in memory for long.
    error.__traceback__ = None
    reply = error_response(error.status, str(error))
    if isinstance(error, Unauthorized):
        reply.headers["WWW-Authenticate"] = 'Basic realm="annotune"'
    return reply


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    reply = error_response(status, _HTTP_SENTENCES.get(status, error.description or error.name))
    for name, value in error.get_headers():
        if name == "Allow":
            reply.headers[name] = value
    return reply


def _unexpected_error(error: Exception) -> Response:
    reported = log_unexpected(error)
    return error_response(reported.status, str(reported))
