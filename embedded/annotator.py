"""A person at Label Studio, by the very calls that its page makes: ask, correct, submit."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import httpx

from annotune.errors import LabelStudioError
from embedded.label_studio import LabelStudio

# As many as the embedded model server answers at once.
ASKED_AT_ONCE = 2
ASK_S = 120
CALL_S = 60


@dataclass(frozen=True)
class ModelAnswer:
    """What the model said, and the version that Label Studio was told."""

    text: str
    model_version: str


class Annotator:
    """At work in one project whose labeling config has the controls `prompt` and `response` on the object `chat`."""

    def __init__(self, label_studio: LabelStudio, project: int) -> None:
        self._http = httpx.Client(
            base_url=label_studio.url,
            headers={"Authorization": f"Token {label_studio.api_key}"},
            timeout=CALL_S,
            trust_env=False,
        )
        self._backend = self._backend_of(project)

    def _backend_of(self, project: int) -> int:
        found = self._call("GET", f"/api/ml?project={project}")
        if not found:
            raise LabelStudioError(f"project {project} has no model backend: run 'annotune connect {project}'")
        return int(found[0]["id"])

    def ask(self, task: int, prompt: str) -> ModelAnswer:
        """As Shift+Enter in the prompt does."""
        body = {"task": task, "context": {"result": [_region("prompt", prompt)]}}
        reply = self._call("POST", f"/api/ml/{self._backend}/interactive-annotating", body, deadline_s=ASK_S)
        if "data" not in reply:
            raise LabelStudioError(f"the model did not answer for task {task}: {reply}")
        said = reply["data"]
        texts = [region["value"]["text"] for region in said["result"] if region["from_name"] == "response"]
        if not texts:
            raise LabelStudioError(f"the model's answer for task {task} is empty")
        return ModelAnswer("\n".join(texts[0]), str(said.get("model_version", "")))

    def ask_all(self, tasks: Sequence[int], prompt: str) -> list[ModelAnswer]:
        """In the order of the tasks."""
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            return list(pool.map(lambda task: self.ask(task, prompt), tasks))

    def submit(self, task: int, prompt: str, answer: str) -> int:
        """As the Submit button does; the annotation's id."""
        body = {"result": [_region("prompt", prompt), _region("response", answer)], "lead_time": 1.0}
        return int(self._call("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def _call(self, method: str, path: str, body: object = None, *, deadline_s: float = CALL_S) -> Any:
        try:
            reply = self._http.request(method, path, json=body, timeout=deadline_s)
            reply.raise_for_status()
        except httpx.HTTPError as error:
            raise LabelStudioError(f"Label Studio did not answer {method} {path}: {error}") from error
        return reply.json()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _region(control: str, text: str) -> dict[str, Any]:
    return {
        "id": f"{control}-1",
        "from_name": control,
        "to_name": "chat",
        "type": "textarea",
        "origin": "manual",
        "value": {"text": [text]},
    }
