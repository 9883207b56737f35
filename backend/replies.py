"""Errors as Label Studio and people read them: JSON, and one sentence that is the reason phrase as well.

Label Studio (1.23) shows the reason phrase of a failed call and never its body.
"""

import json
import logging

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from annotune.errors import AnnotuneError, Unauthorized
from annotune.log import log_unexpected

MAX_REASON = 200
log = logging.getLogger(__name__)
_SENTENCES = {
    404: "there is no such route: it is one of /, /health, /setup, /predict, /webhook and /versions",
    405: "this route does not take that method: GET /, /health and /versions, POST /setup, /predict and /webhook",
}


def error_response(status: int, sentence: str) -> Response:
    """An error reply: `{"error": sentence, "status": status}`."""
    reply = jsonify(error=sentence, status=status)
    reply.status = f"{status} {reason_phrase(sentence)}"
    return reply


def error_bytes(status: int, sentence: str) -> bytes:
    """The same as it comes over the wire, for a request that no route sees; the connection ends with it."""
    body = json.dumps({"error": sentence, "status": status}).encode()
    head = (
        f"HTTP/1.1 {status} {reason_phrase(sentence)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


def reason_phrase(sentence: str) -> str:
    """One line of printable ASCII: what an HTTP status line can hold."""
    line = " ".join(sentence.encode("ascii", "replace").decode().split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 3]}..."


def register_error_handlers(app: Flask) -> None:
    """Make all errors of an app speak so."""
    app.register_error_handler(AnnotuneError, _told)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _told(error: AnnotuneError) -> Response:
    log.warning("%d %s: %s", error.status, type(error).__name__, error)
    # Its frames hold the request, and a list of errors in one of them this error: memory that comes back late.
    error.__traceback__ = None
    reply = error_response(error.status, str(error))
    if isinstance(error, Unauthorized):
        reply.headers["WWW-Authenticate"] = 'Basic realm="annotune"'
    return reply


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    reply = error_response(status, _SENTENCES.get(status, error.description or error.name))
    for name, value in error.get_headers():
        if name == "Allow":
            reply.headers[name] = value
    return reply


def _unexpected(error: Exception) -> Response:
    told = log_unexpected(error)
    return error_response(told.status, str(told))
