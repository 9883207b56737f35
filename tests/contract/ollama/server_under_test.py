"""The server under test, real or embedded, and the forms of OLLAMA_HOST."""

from dataclasses import dataclass, field

import httpx
from recorded_ggufs import Gguf
from recorded_traffic import Answer, Line, answer_of

from embedded.ollama import OllamaServer

DEFAULT_PORT = 11434


@dataclass
class Target:
    client: httpx.Client
    ggufs: dict[str, Gguf]  # by our digest
    embedded: OllamaServer | None
    made: set[str] = field(default_factory=set)

    def ask(self, line: Line) -> Answer:
        """Sends the recorded request, and remembers the model it makes."""
        if line.path in {"/api/create", "/api/copy"} and isinstance(line.body, dict):
            self.made.add(str(line.body.get("model") or line.body.get("destination")))
        if line.raw == "<stream>":
            with self.ggufs[line.path.rpartition(":")[2]].path.open("rb") as file:
                return answer_of(self.client.post(line.path, content=file))
        content = line.raw.encode() if line.raw is not None else None
        kind = {"json": line.body} if line.body is not None else {"content": content}
        return answer_of(self.client.request(line.method, line.path, headers=line.headers, **kind))

    def upload(self, digest: str) -> None:
        """The GGUF, unless it is there."""
        path = f"/api/blobs/sha256:{digest}"
        if self.client.head(path).is_error:
            with self.ggufs[digest].path.open("rb") as file:
                self.client.post(path, content=file).raise_for_status()

    def unload(self, model: str) -> None:
        self.client.post("/api/generate", json={"model": model, "keep_alive": 0})

    def delete_made(self) -> None:
        """Delete the models that the tests made. Blobs of failed ones stay: Ollama has no route to delete a blob."""
        for model in self.made:
            self.unload(model)
            self.client.request("DELETE", "/api/delete", json={"model": model})


def base_url(host: str) -> str:
    """The URL in OLLAMA_HOST, which may lack a scheme and a port; 0.0.0.0 means loopback here."""
    scheme, found, rest = host.partition("://")
    scheme, address = (scheme, rest) if found else ("http", host)
    address = address.rstrip("/").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - read, not bound
    return f"{scheme}://{address if ':' in address or found else f'{address}:{DEFAULT_PORT}'}"
