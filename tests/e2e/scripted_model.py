"""A model that says what a test wants it to."""

import json
import threading
from typing import Any

from integration.doubles import FakeOllama

MODEL = "scripted"
HELD_S = 60


class ScriptedModel(FakeOllama):
    """Answers a prompt that has the words of a key of `replies` with its value: a text, or fields that become JSON.

    `asked` holds what it was asked. It keeps its answers back while `free` is cleared.
    """

    def __init__(self) -> None:
        super().__init__()
        self.models[MODEL] = "none"
        self.asked: list[str] = []
        self.replies: dict[str, str | dict[str, Any]] = {}
        self.free = threading.Event()
        self.free.set()

    def forget(self) -> None:
        """Be as one that was never told or asked anything."""
        self.asked = []
        self.replies = {}
        self.chat_error = ""
        self.free.set()

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked = body["messages"][-1]["content"]
        self.asked.append(asked)
        self.free.wait(HELD_S)
        status, reply = super()._chat(body)
        said = next((said for words, said in self.replies.items() if words in asked), "Yes.")
        text = said if isinstance(said, str) else json.dumps(said)
        return status, reply | {"message": {"role": "assistant", "content": text}}
