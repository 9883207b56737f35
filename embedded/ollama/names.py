"""Model names: `[host/][namespace/]model[:tag]`. They are compared without case, and shown as first written."""

import re
from dataclasses import dataclass, replace
from typing import Self

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

PARTS = {
    "host": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"),
    "namespace": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"),
    "model": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"),
    "tag": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"),
}


class InvalidName(ValueError):
    """The text is no model name."""


@dataclass(frozen=True)
class ModelName:
    """The four parts of a name."""

    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a name. Missing parts get Ollama's defaults.

        Raises:
            InvalidName: the text is no model name.
        """
        path, _, tag = text.rpartition(":") if ":" in text.rpartition("/")[2] else (text, "", DEFAULT_TAG)
        parts = path.split("/")
        if len(parts) > len(("host", "namespace", "model")):
            raise InvalidName(text)
        host, namespace, model = [DEFAULT_HOST, DEFAULT_NAMESPACE, ""][: 3 - len(parts)] + parts
        name = cls(host, namespace, model, tag)
        if not all(pattern.fullmatch(getattr(name, part)) for part, pattern in PARTS.items()):
            raise InvalidName(text)
        return name

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """The name as Ollama lists it: without default host and namespace, with the tag."""
        if self.host != DEFAULT_HOST:
            return self.full
        if self.namespace != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    @property
    def key(self) -> str:
        return self.full.casefold()

    def with_known_spelling(self, known: "list[ModelName]") -> "ModelName":
        """The name with each part spelt as in a known name. Ollama 0.33 keeps the first spelling of a part."""
        spelt = self
        for other in known:
            for part in PARTS:
                theirs = getattr(other, part)
                if getattr(spelt, part).casefold() == theirs.casefold():
                    spelt = replace(spelt, **{part: theirs})
        return spelt
