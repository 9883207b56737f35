"""A fake model server in the test's own process, and helpers for tests of the backend."""

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flask import Flask
from werkzeug.test import TestResponse

from annotune.chat import ChatRequest, Completion, Token
from annotune.deadline import Deadline
from annotune.models import ServerName
from annotune.servers.capabilities import Capabilities
from annotune.servers.ollama import OllamaClient
from annotune.store.queue import JobQueue
from annotune.store.store import Store

TRAFFIC = Path(__file__).with_name("traffic")
RECORDED = sorted(path.stem for path in TRAFFIC.glob("*.json") if "request" in json.loads(path.read_text()))
SIMPLE = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" smart="false"/></View>"""
UNPROTECTED = SIMPLE.replace(' smart="false"', "")


def recorded(name: str) -> dict[str, Any]:
    """The request that Label Studio 1.23.2 sent: method, path, headers, body."""
    return json.loads((TRAFFIC / f"{name}.json").read_text())["request"]


@dataclass
class FakeModel:
    """Answers `answer N`, or the result of `say` for a request. It keeps the requests."""

    name: str = "ollama"
    url: str = "http://fake"
    capabilities: Capabilities = OllamaClient.capabilities
    say: Callable[[ChatRequest], str] | None = None
    finish: Literal["stop", "length"] = "stop"
    logprobs: tuple[Token, ...] | None = None
    broken: Exception | None = None
    requests: list[ChatRequest] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        with self.lock:
            self.requests.append(request)
            self.deadlines.append(deadline.left_s)
            number = len(self.requests)
        if self.broken:
            raise self.broken
        text = self.say(request) if self.say else f"answer {number}"
        return Completion(text, request.model, 1, 1, seconds=0.0, finish=self.finish, logprobs=self.logprobs)

    def check(self, deadline: Deadline) -> None:
        if self.broken:
            raise self.broken

    def close(self) -> None:
        pass


@dataclass
class FakePool:
    """Returns the same fake for every server's name."""

    model: FakeModel

    def get(self, name: ServerName) -> FakeModel:
        return self.model


@dataclass
class Backend:
    """The application under test, and the objects that it was made with."""

    app: Flask
    model: FakeModel
    store: Store
    jobs: JobQueue

    def send(self, path: str, body: object = None, **headers: str) -> TestResponse:
        """POST JSON, or bytes as they are; as JSON where no other `Content-Type` is given."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.app.test_client().post(path, data=data, headers={"Content-Type": "application/json"} | headers)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.app.test_client().get(path, headers=headers)

    def replay(self, name: str) -> TestResponse:
        request = recorded(name)
        data = None if request["body"] is None else json.dumps(request["body"])
        kind = request["headers"].get("Content-Type")
        return self.app.test_client().open(request["path"], method=request["method"], data=data, content_type=kind)

    def predict(self, *tasks: dict[str, Any], editor: object = "batch", config: str = SIMPLE) -> TestResponse:
        """`screen`: the regions that an annotator sees; without it, a batch."""
        context = None if editor == "batch" else {"result": editor}
        body = {"tasks": tasks, "project": "4.17", "label_config": config, "params": {"context": context}}
        return self.send("/predict", body)


MakeBackend = Callable[..., Backend]


def task(number: int = 1, question: str = "Why?", **more: object) -> dict[str, Any]:
    return {"id": number, "data": {"question": question}, "annotations": [], "predictions": [], **more}


def region(control: str, *texts: str, **more: object) -> dict[str, Any]:
    """A region with a text. Without an `origin` a person made it."""
    value = {"text": list(texts)}
    return {"id": control, "from_name": control, "to_name": "chat", "type": "textarea", "value": value, **more}


def ours(control: str, *texts: str) -> dict[str, Any]:
    """The region of a prediction that nobody has edited."""
    return region(control, *texts, origin="prediction")


def texts(reply: TestResponse) -> list[dict[str, list[str]]]:
    """The texts for each control, one mapping for each result of a reply."""
    assert reply.status_code == 200, reply.text
    results = [result["result"] for result in reply.json["results"]]
    return [{item["from_name"]: item["value"]["text"] for item in regions} for regions in results]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
