"""A Hugging Face Hub of datasets over HTTP, as `datasets` 5.2, `huggingface_hub` 2.4 and their file system ask it.

`HF_ENDPOINT` names it. It serves files by ranges and counts the bytes, and takes commits of plain files.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

PIECE = 1 << 20
ACCEPTED = {"validationResult": "ok"}


@dataclass
class HubRepository:
    """A dataset's repository: contents by path, each bytes or a file on disk. `gated` and `private` want `token`."""

    files: dict[str, bytes | Path] = field(default_factory=dict)
    gated: bool = False
    private: bool = False

    @property
    def sha(self) -> str:
        """Of what it holds: it changes with each commit."""
        held = sorted((path, oid_of(content)) for path, content in self.files.items())
        return hashlib.sha1(json.dumps(held).encode(), usedforsecurity=False).hexdigest()


def oid_of(content: bytes | Path) -> str:
    said = content if isinstance(content, bytes) else f"{content} {content.stat().st_size}".encode()
    return hashlib.sha1(said, usedforsecurity=False).hexdigest()


def size_of(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


@dataclass
class HubDouble:
    """Repositories by name, the requests it got (`asked`), and how many bytes of files it has `sent`.

    `refusal` is a status that answers everything. `aliases` are former names of repositories.
    """

    repositories: dict[str, HubRepository] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    token: str = "hf_right"
    refusal: int | None = None
    sent: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                double.asked.append((self.command, self.path))
                double._route(self, unquote(urlsplit(self.path).path), body)

            do_GET = do_HEAD = do_POST = _answer  # noqa: N815 - names that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

            def reply(self, status: int, body: object = None, headers: Mapping[str, str] | None = None) -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, home: Path) -> dict[str, str]:
        """The variables under which Hugging Face's libraries ask this Hub. They read them when they are imported."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def _route(self, request: Any, path: str, body: bytes) -> None:
        if self.refusal:
            request.reply(self.refusal, {"error": "refused"})
            return
        if path == "/api/repos/create":
            self._create(request, json.loads(body))
            return
        if path == "/api/whoami-v2":
            request.reply(200, {"name": "nurse", "type": "user", "auth": {"accessToken": {"role": "write"}}})
            return
        if path == "/api/validate-yaml":
            request.reply(200, {"errors": [], "warnings": []})
            return
        kind, name, rest = self._named(path)
        repository = self.repositories.get(name)
        if repository is None:
            self._missing(request, "RepoNotFound")
        elif self._is_closed(request, repository):
            self._missing(request, "GatedRepo" if repository.gated else "RepoNotFound", 401)
        elif kind == "api":
            self._api(request, name, repository, rest, body)
        else:
            self._file(request, repository, rest)

    def _named(self, path: str) -> tuple[str, str, str]:
        """Whether it is of the API, the repository's name, and what follows."""
        kind, _, rest = path.strip("/").partition("datasets/")
        found = sorted({*self.repositories, *self.aliases}, key=len, reverse=True)
        name = next((each for each in found if rest == each or rest.startswith(f"{each}/")), "")
        return kind.strip("/"), self.aliases.get(name, name), rest.removeprefix(name).strip("/")

    def _is_closed(self, request: Any, repository: HubRepository) -> bool:
        right = request.headers.get("Authorization") == f"Bearer {self.token}"
        return (repository.gated or repository.private) and not right

    def _missing(self, request: Any, code: str, status: int = 404) -> None:
        request.reply(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})

    def _api(self, request: Any, name: str, repository: HubRepository, rest: str, body: bytes) -> None:
        kind, _, place = rest.partition("/")
        _revision, _, below = place.partition("/")
        if kind == "tree":
            self._tree(request, repository, below)
        elif kind == "paths-info":
            request.reply(200, self._entries(repository, _paths(request, body)))
        elif kind == "preupload":
            files = json.loads(body)["files"]
            modes = [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in files]
            request.reply(200, {"files": modes})
        elif kind == "commit":
            self._commit(repository, body)
            request.reply(200, {"commitOid": repository.sha, "commitUrl": f"{self.url}/datasets/{name}/commit/x"})
        else:
            siblings = [{"rfilename": path} for path in sorted(repository.files)]
            request.reply(200, {"id": name, "sha": repository.sha, "siblings": siblings, "private": repository.private})

    def _tree(self, request: Any, repository: HubRepository, below: str) -> None:
        prefix = f"{below}/" if below else ""
        deep = parse_qs(urlsplit(request.path).query).get("recursive", ["false"])[0].lower() == "true"
        inside = {path for path in repository.files if path.startswith(prefix)}
        folders = {path[: len(prefix)] + path[len(prefix) :].partition("/")[0] for path in inside}
        shown = inside | folders if deep else folders
        if below and not inside:
            self._missing(request, "EntryNotFound")
        else:
            request.reply(200, self._entries(repository, sorted(shown)))

    def _entries(self, repository: HubRepository, paths: list[str]) -> list[dict[str, Any]]:
        found = []
        for path in paths:
            content = repository.files.get(path)
            if content is not None:
                found.append({"type": "file", "path": path, "size": size_of(content), "oid": oid_of(content)})
            elif any(each.startswith(f"{path}/") for each in repository.files):
                found.append({"type": "directory", "path": path, "size": 0, "oid": oid_of(path.encode())})
        return found

    def _file(self, request: Any, repository: HubRepository, rest: str) -> None:
        path = rest.split("/", 2)[2] if rest.startswith("resolve/") and rest.count("/") > 1 else ""
        content = repository.files.get(path)
        if content is None:
            self._missing(request, "EntryNotFound")
            return
        size, wanted = size_of(content), request.headers.get("Range")
        first, last = _range(wanted, size)
        headers = {
            "Content-Length": str(last - first + 1),
            "Accept-Ranges": "bytes",
            "ETag": f'"{oid_of(content)}"',
            "X-Repo-Commit": repository.sha,
            **({"Content-Range": f"bytes {first}-{last}/{size}"} if wanted else {}),
        }
        request.send_response(206 if wanted else 200)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            self._send(request, content, first, last)

    def _send(self, request: Any, content: bytes | Path, first: int, last: int) -> None:
        if isinstance(content, bytes):
            request.wfile.write(content[first : last + 1])
            self.sent += last + 1 - first
            return
        with content.open("rb") as file:
            file.seek(first)
            while first <= last:
                piece = file.read(min(PIECE, last + 1 - first))
                request.wfile.write(piece)
                first += len(piece)
                self.sent += len(piece)

    def _create(self, request: Any, wanted: dict[str, Any]) -> None:
        name = "/".join(filter(None, [wanted.get("organization") or "nurse", wanted["name"]]))
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            request.reply(401, {"error": "Unauthorized"})
        elif name in self.repositories:
            request.reply(409, {"error": "it exists", "url": f"{self.url}/datasets/{name}"})
        else:
            self.repositories[name] = HubRepository(private=bool(wanted.get("private")))
            request.reply(200, {"url": f"{self.url}/datasets/{name}", "name": name})

    def _commit(self, repository: HubRepository, body: bytes) -> None:
        for line in filter(None, body.splitlines()):
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "deletedFile":
                repository.files.pop(value["path"], None)


def _paths(request: Any, body: bytes) -> list[str]:
    if "json" in request.headers.get("Content-Type", ""):
        paths = json.loads(body)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(body.decode()).get("paths", [])


def _range(wanted: str | None, size: int) -> tuple[int, int]:
    if not wanted:
        return 0, size - 1
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    return int(first), min(int(last) if last else size - 1, size - 1)
