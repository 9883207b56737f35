"""Protection against requests that a web page sends from somebody's browser.

Label Studio (1.23) calls from its server, with JSON and without `Origin`. A page of another site needs a preflight before it
can send JSON, and this backend answers none. The browser also names the site in `Sec-Fetch-Site` and `Origin`.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

from annotune.settings import Settings
from backend.replies import error_response

JSON_TYPE = "application/json"
SAME_SITE = frozenset({"none", "same-origin"})
"""Values of `Sec-Fetch-Site` that are accepted."""


def refuse_cross_site(app: Flask, settings: Settings) -> None:
    """Accept only JSON in POST requests, and refuse those that a page of another site sends."""
    own_address = urlsplit(settings.backend_url or "").netloc

    @app.before_request
    def check() -> Response | None:
        if request.method != "POST" or request.routing_exception:
            return None
        if not _is_same_site(request.host, own_address):
            return error_response(
                403, "a web page of another site sent this: only Label Studio's server and programs may ask"
            )
        if request.mimetype != JSON_TYPE:
            return error_response(415, f"the body has the content type {request.mimetype!r}: send {JSON_TYPE}")
        return None


def _is_same_site(host: str, own_address: str) -> bool:
    """Whether the request comes from a program, or from a page of this host."""
    if request.headers.get("Sec-Fetch-Site", "none") not in SAME_SITE:
        return False
    origin = request.headers.get("Origin")
    return origin is None or (urlsplit(origin).netloc == host and (host == own_address or _cannot_be_rebound(host)))


def _cannot_be_rebound(host: str) -> bool:
    """Whether the host is an address or `localhost`. Another name may point here by DNS rebinding."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return bool(ip_address(name))
    except ValueError:
        return name == "localhost"
