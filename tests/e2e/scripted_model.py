"""A model that says what a test wants it to."""

import json
from typing import Any

from integration.doubles import FakeOllama

MODEL = "scripted"


class ScriptedModel(FakeOllama):
    """Answers a prompt that has the words of a key of `replies` with its value: a text, or fields that become JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.models[MODEL] = "none"
        self.replies: dict[str, str | dict[str, Any]] = {}

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, reply = super()._chat(body)
        asked = body["messages"][-1]["content"]
        said = next((said for words, said in self.replies.items() if words in asked), "Yes.")
        text = said if isinstance(said, str) else json.dumps(said)
        return status, reply | {"message": {"role": "assistant", "content": text}}
