"""What a web page in somebody's browser may not do: send us requests in that person's name.

Label Studio (1.23) calls from its server, with JSON and without `Origin`. A page of another site can send JSON only after a
preflight that we do not answer, and its browser tells where it comes from.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

from annotune.settings import Settings
from backend.replies import error_response

JSON_TYPE = "application/json"
OWN_SITES = frozenset({"none", "same-origin"})  # of `Sec-Fetch-Site`


def refuse_cross_site(app: Flask, settings: Settings) -> None:
    """Take nothing but JSON on the routes that do something, and nothing that a page of another site sends."""
    reached_at = urlsplit(settings.backend_url or "").netloc

    @app.before_request
    def check() -> Response | None:
        if request.method != "POST" or request.routing_exception:
            return None
        if not _is_ours(request.host, reached_at):
            return error_response(
                403, "a web page of another site sent this: only Label Studio's server and programs may ask"
            )
        if request.mimetype != JSON_TYPE:
            return error_response(415, f"the body has the content type {request.mimetype!r}: send {JSON_TYPE}")
        return None


def _is_ours(host: str, reached_at: str) -> bool:
    """Whether no browser sent the request, or a page of this very host did."""
    if request.headers.get("Sec-Fetch-Site", "none") not in OWN_SITES:
        return False
    origin = request.headers.get("Origin")
    return origin is None or (urlsplit(origin).netloc == host and (host == reached_at or _is_fixed(host)))


def _is_fixed(host: str) -> bool:
    """Whether nobody else can have this name point here, as a page may do with its own (DNS rebinding)."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return bool(ip_address(name))
    except ValueError:
        return name == "localhost"
