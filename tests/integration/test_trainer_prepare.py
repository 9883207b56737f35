"""A pinned base is fetched at its revision, by the real library, from a hub of this machine."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from annotune.errors import TrainingFailed
from annotune.recipe import Recipe
from trainer.engine import PREPARE, SubprocessEngine
from trainer.events import Prepared

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PLAIN = b'{"model_type": "llama"}'
QUANTISED = b'{"model_type": "llama", "quantization_config": {}}'


class Hub:
    """A hub whose one model has one file; `asked` holds the paths."""

    def __init__(self) -> None:
        self.config = PLAIN
        self.asked: list[str] = []

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if path.startswith(f"/api/models/owner/name/revision/{COMMIT}"):
            return 200, json.dumps(
                {"id": "owner/name", "sha": COMMIT, "siblings": [{"rfilename": "config.json"}]}
            ).encode()
        if path.startswith(f"/api/models/owner/name/tree/{COMMIT}"):
            size = len(self.config)
            return 200, json.dumps([{"type": "file", "path": "config.json", "size": size, "oid": "0" * 40}]).encode()
        return (200, self.config) if path == f"/owner/name/resolve/{COMMIT}/config.json" else (404, b"{}")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            status, content = served.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')  # noqa: S324 - no secret
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else content)

        do_GET = do_HEAD = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def prepare(python: Path, folder: Path) -> Prepared:
    recipe = Recipe.load("small").model_dump(mode="json") | {"base": "owner/name", "revision": COMMIT}
    job = {"recipe": recipe, "cache": str(folder)}
    return SubprocessEngine(python).run(PREPARE, job, folder, on_event=lambda _: None, cancelled=lambda: False)


@pytest.mark.training
def test_a_pinned_base_becomes_a_folder_of_that_revision_alone(hub: Hub, trainer_python: Path, tmp_path: Path) -> None:
    base = Path(prepare(trainer_python, tmp_path).base)

    assert (base / "config.json").read_bytes() == PLAIN
    assert hub.asked
    assert [path for path in hub.asked if COMMIT not in path] == []


@pytest.mark.training
def test_a_quantised_base_cannot_be_pinned(hub: Hub, trainer_python: Path, tmp_path: Path) -> None:
    hub.config = QUANTISED

    with pytest.raises(TrainingFailed, match=r"'owner/name' is quantised.*Name the 16-bit base"):
        prepare(trainer_python, tmp_path)
