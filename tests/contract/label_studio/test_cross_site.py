"""A web page in somebody's browser cannot use the backend."""

import json

import pytest
from fake_model import RECORDED, SIMPLE, Backend, MakeBackend, recorded

BODY = json.dumps({"action": "START_TRAINING", "project": {"id": 4}}).encode()
# What a page of another site can send without a preflight, and no type at all.
SIMPLE_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
    "application/x",
]
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://localhost", "Host": "localhost:9090"},
    {"Origin": "http://evil.example:9090", "Host": "evil.example:9090"},  # a name that was made to point here
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
@pytest.mark.parametrize("kind", SIMPLE_TYPES)
def test_only_json_is_read(backend: Backend, path: str, kind: str) -> None:
    reply = backend.send(path, BODY, **{"Content-Type": kind})

    assert reply.status_code == 415
    assert "application/json" in reply.json["error"]
    assert backend.store.training.requested(4) is None


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_read_whatever_its_parameters(backend: Backend, kind: str) -> None:
    assert backend.send("/webhook", BODY, **{"Content-Type": kind}).json["queued"] is True


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
@pytest.mark.parametrize("headers", FOREIGN)
def test_another_sites_page_is_refused(backend: Backend, path: str, headers: dict[str, str]) -> None:
    reply = backend.send(path, BODY, **headers)

    assert reply.status_code == 403
    assert backend.store.training.requested(4) is None


@pytest.mark.parametrize("name", ["127.0.0.1:9090", "[::1]:9090", "localhost:9090", "ml-backend.internal:9090"])
def test_a_page_of_our_own_host_may_ask(make_backend: MakeBackend, name: str) -> None:
    backend = make_backend(backend_url="http://ml-backend.internal:9090")
    headers = {"Origin": f"http://{name}", "Host": name, "Sec-Fetch-Site": "same-origin"}

    assert backend.send("/webhook", BODY, **headers).status_code == 200


def test_no_reply_lets_another_site_read_it(backend: Backend) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    replies = [
        backend.get("/health", **preflight),
        backend.send("/setup", {"project": 4, "schema": SIMPLE}, **preflight),
    ]
    replies.append(backend.app.test_client().options("/webhook", headers=preflight))

    assert not [name for reply in replies for name, _ in reply.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("name", RECORDED)
def test_label_studio_says_json_and_names_no_origin(name: str) -> None:
    request = recorded(name)

    assert request["method"] == "GET" or request["headers"]["Content-Type"] == "application/json"
    assert not {"Origin", "Sec-Fetch-Site"} & set(request["headers"])
