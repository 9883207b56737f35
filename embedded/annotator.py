"""An annotator, simulated by the requests that Label Studio's page sends: ask, correct, submit."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import httpx

from annotune.errors import LabelStudioError
from embedded.label_studio import LabelStudio

CONCURRENT_QUESTIONS = 2  # the slots of the embedded model server
ANSWER_DEADLINE_S = 120
CALL_DEADLINE_S = 60


@dataclass(frozen=True)
class ModelAnswer:
    """The model's answer, and the model version beside it."""

    text: str
    model_version: str


class Annotator:
    """Works in one project. Its labeling config has the controls `prompt` and `response` on the object `chat`."""

    def __init__(self, label_studio: LabelStudio, project: int) -> None:
        self._http = httpx.Client(
            base_url=label_studio.url,
            headers={"Authorization": f"Token {label_studio.api_key}"},
            timeout=CALL_DEADLINE_S,
            trust_env=False,
        )
        self._backend = self._backend_of(project)

    def _backend_of(self, project: int) -> int:
        found = self._call("GET", f"/api/ml?project={project}")
        if not found:
            raise LabelStudioError(f"project {project} has no model backend: run 'annotune connect {project}'")
        return int(found[0]["id"])

    def ask(self, task: int, prompt: str) -> ModelAnswer:
        """Ask a prompt, as Shift+Enter in the prompt control does.

        Raises:
            LabelStudioError: the model gave no answer.
        """
        body = {"task": task, "context": {"result": [_region("prompt", prompt)]}}
        reply = self._call(
            "POST", f"/api/ml/{self._backend}/interactive-annotating", body, deadline_s=ANSWER_DEADLINE_S
        )
        if "data" not in reply:
            raise LabelStudioError(f"the model did not answer for task {task}: {reply}")
        prediction = reply["data"]
        texts = [region["value"]["text"] for region in prediction["result"] if region["from_name"] == "response"]
        if not texts:
            raise LabelStudioError(f"the model's answer for task {task} is empty")
        return ModelAnswer("\n".join(texts[0]), str(prediction.get("model_version", "")))

    def ask_all(self, tasks: Sequence[int], prompt: str) -> list[ModelAnswer]:
        """The answers, in the order of the tasks."""
        with ThreadPoolExecutor(CONCURRENT_QUESTIONS) as pool:
            return list(pool.map(lambda task: self.ask(task, prompt), tasks))

    def submit(self, task: int, prompt: str, answer: str) -> int:
        """Submit an annotation, as the Submit button does, and return its id."""
        body = {"result": [_region("prompt", prompt), _region("response", answer)], "lead_time": 1.0}
        return int(self._call("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def _call(self, method: str, path: str, body: object = None, *, deadline_s: float = CALL_DEADLINE_S) -> Any:
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
