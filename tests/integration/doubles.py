"""Doubles for tests of training: an engine that learns nothing, and what of Ollama's HTTP a training needs."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from annotune.errors import TrainingCancelled, TrainingFailed
from trainer.engine import R, Step
from trainer.events import Event, Measured, Started, Stepped


def render(messages: list[dict[str, str]]) -> str:
    return "".join(f"[{message['role']}] {message['content']}\n" for message in messages) + "[assistant] "


def count(text: str) -> int:
    return len(text.split())


class FakeEngine:
    """Writes what the scripts write, the weights a few bytes.

    `fails_at` names the script that breaks off; of 12 examples `fitting` are short enough.
    """

    def __init__(
        self,
        *,
        losses: tuple[float, float] = (2.0, 0.5),
        fitting: int = 12,
        weights: bytes = b"GGUF tiny",
        fails_at: str = "",
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.scripts: list[str] = []
        self._losses = losses
        self._fitting = fitting
        self._weights = weights
        self._fails_at = fails_at
        self._meanwhile = meanwhile

    def run(
        self,
        step: Step[R],
        job: Mapping[str, Any],
        folder: Path,
        *,
        on_event: Callable[[Event], None],
        cancelled: Callable[[], bool],
    ) -> R:
        if cancelled():
            raise TrainingCancelled("stopped")
        self.scripts.append(step.script)
        if step.script == self._fails_at:
            raise TrainingFailed(f"{step.script}: no memory was left")
        return step.result.model_validate(getattr(self, f"_{step.script}")(job, folder, on_event))

    def _prepare(self, job: Mapping[str, Any], folder: Path, on_event: Callable[[Event], None]) -> dict[str, Any]:
        return {"base": job["recipe"]["base"]}

    def _train(self, job: Mapping[str, Any], folder: Path, on_event: Callable[[Event], None]) -> dict[str, Any]:
        rows = [json.loads(line) for line in (Path(job["dataset"]) / "eval.jsonl").read_text().splitlines()]
        texts = [(row["id"], render(row["messages"])) for row in rows]
        lines = [json.dumps({"id": id_, "text": text, "tokens": count(text)}) + "\n" for id_, text in texts]
        (folder / "rendered.jsonl").write_text("".join(lines))
        on_event(Measured(event="loss", what="base", value=self._losses[0]))
        on_event(Started(event="start", steps=2, examples=self._fitting, left_out=12 - self._fitting))
        on_event(Stepped(event="step", step=2, steps=2, loss=0.4, left_s=0))
        on_event(Measured(event="loss", what="tuned", value=self._losses[1]))
        (folder / "adapter").mkdir()
        self._meanwhile()
        return {"device": "cpu", "dtype": "float32", "versions": {"torch": "0"}, "peak_rss_mb": 1, "peak_gpu_mb": 0}

    def _merge(self, job: Mapping[str, Any], folder: Path, on_event: Callable[[Event], None]) -> dict[str, Any]:
        (folder / "merged").mkdir()
        return {"merged": str(folder / "merged")}

    def _convert(self, job: Mapping[str, Any], folder: Path, on_event: Callable[[Event], None]) -> dict[str, Any]:
        gguf = folder / "model.gguf"
        gguf.write_bytes(self._weights)
        return {"gguf": str(gguf), "sha256": hashlib.sha256(self._weights).hexdigest()}


class FakeOllama:
    """Blobs and models by name; answers every chat with one word.

    `models` maps a name to its GGUF's hex SHA-256; `loaded` names what is in memory.
    """

    def __init__(self) -> None:
        self.url = ""
        self.blobs: set[str] = set()
        self.models: dict[str, str] = {}
        self.loaded: list[str] = []
        self.render = render
        self.extra_tokens = 0
        self.done_reason = "stop"
        self.chat_error = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: PLR0911 - routes
        """Status and JSON for a request."""
        digest = path.removeprefix("/api/blobs/sha256:")
        match method, path:
            case "HEAD", _:
                return (200 if digest in self.blobs else 404), {}
            case "GET", "/api/version":
                return 200, {"version": "0.33.0"}
            case "GET", "/api/ps":
                return 200, {"models": [{"model": name} for name in self.loaded]}
            case "POST", "/api/create":
                [given] = body["files"].values()
                self.models[body["model"]] = given.removeprefix("sha256:")
                return 200, {"status": "success"}
            case "POST", "/api/chat":
                return self._chat(body)
            case _, "/api/show" | "/api/delete" if body["model"] not in self.models:
                return 404, {"error": f"model '{body['model']}' not found"}
            case "POST", "/api/show":
                return 200, {"details": {}, "model_info": {}}
            case "DELETE", "/api/delete":
                del self.models[body["model"]]
                return 200, {}
            case _:
                self.blobs.add(digest)
                return 201, {}

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.chat_error:
            return 500, {"error": self.chat_error}
        if body.get("keep_alive") == 0:
            self.loaded.remove(body["model"])
            return 200, {"done": True, "done_reason": "unload"}
        text = self.render(body["messages"])
        if body.get("_debug_render_only"):
            return 200, {"done": False, "_debug_info": {"rendered_template": text}}
        return 200, {
            "message": {"role": "assistant", "content": "Yes."},
            "done": True,
            "done_reason": self.done_reason,
            "prompt_eval_count": count(text) + self.extra_tokens,
            "eval_count": 2,
        }


class Replay:
    """Answers chats as recorded: a line's request is known by its model, and by whether it only renders."""

    def __init__(self, recorded: Path) -> None:
        self.url = ""
        lines = [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
        self.replies = {self._key(line["request"]["body"]): line["response"] for line in lines}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = self.replies.get(self._key(body))
        return (found["status"], found["body"]) if found else (404, {"error": f"model '{body['model']}' not found"})

    @staticmethod
    def _key(body: dict[str, Any]) -> tuple[str, bool]:
        return body["model"], "_debug_render_only" in body


@contextmanager
def serving(double: FakeOllama | Replay) -> Iterator[str]:
    """Serve a double on a free port; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the body waits 40 ms for the ACK of the headers

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_blob = self.path.startswith("/api/blobs/")
            status, reply = double.answer(self.command, self.path, {} if is_blob or not raw else json.loads(raw))
            content = b"" if self.command == "HEAD" else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
