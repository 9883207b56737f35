"""The process of one loaded model, and a client of its HTTP API (tools/server/README.md of llama.cpp)."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from annotune.process import tied_command
from embedded.ollama.answers import ApiError

LOAD_DEADLINE_S = 120
DIED = "an error was encountered while running the model: unexpected EOF"

# There is no limit on the time of an answer: the client decides how long it waits.
TIMEOUT = httpx.Timeout(None, connect=10)


@dataclass(frozen=True)
class Runner:
    """A loaded model. `free_slots` limits the answers at once."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    free_slots: asyncio.Semaphore

    @classmethod
    async def start(cls, model: Path, *, context: int, slots: int, threads: int, log: Path) -> "Runner":
        """Load a model.

        Raises:
            ApiError: 500, with llama.cpp's last line; the model was not loaded within `LOAD_DEADLINE_S`.
        """
        sizes = ["--context", str(context), "--slots", str(slots), "--threads", str(threads)]
        # Run by its path and with -P, so that this package is not imported.
        program = [sys.executable, "-P", str(Path(__file__).with_name("child.py"))]
        command = [*program, "--model", str(model), *sizes]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *tied_command(command), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors
            )
        try:
            line = await asyncio.wait_for(_first_line(process), LOAD_DEADLINE_S)
            url = json.loads(line)["url"]
        except (TimeoutError, ValueError) as error:
            _kill(process)
            raise ApiError(500, f"llama runner process has terminated: {_last_line(log)}") from error
        except BaseException:
            _kill(process)
            raise
        # Connections are not reused: llama-server closes idle ones, which would look as if it had died.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT, limits=limits, trust_env=False)
        return cls(process, client, asyncio.Semaphore(slots))

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def close(self) -> None:
        """Kill the process. Requests that are being answered fail with `DIED`."""
        _kill(self.process)
        await self.client.aclose()
        await self.process.wait()

    async def _ended(self) -> None:
        """Kill the process and wait for it, so that `alive` is false for the next request."""
        _kill(self.process)
        await self.process.wait()

    async def render(self, messages: list[dict[str, Any]], schema: dict[str, Any] | None) -> str:
        """The prompt, rendered by the GGUF's own Jinja template.

        The schema does not change it. It is sent because only this route refuses a bad schema: with one, the build's grammar
        engine (llguidance) would silently answer without any constraint.
        """
        body: dict[str, Any] = {"messages": messages}
        if schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        rendered: str = (await self._post("/apply-template", body))["prompt"]
        return rendered

    async def tokens(self, text: str) -> list[int]:
        """The tokens of a rendered prompt."""
        body = {"content": text, "add_special": True, "parse_special": True}
        numbers: list[int] = (await self._post("/tokenize", body))["tokens"]
        return numbers

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self.client.post(path, json=body)
        except httpx.TransportError as error:
            await self._ended()
            raise ApiError(500, DIED) from error
        _check(response.status_code, response.text)
        answer: dict[str, Any] = response.json()
        return answer

    async def complete(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The events of /completion. The last one has `"stop": true`.

        The answer is always streamed, even if our client wants it in one piece, so that closing this generator stops the
        engine. Without streaming the engine goes on after the client has left. Raises ApiError.
        """
        request = self.client.build_request("POST", "/completion", json={**body, "stream": True})
        async with self.free_slots:
            try:
                response = await self.client.send(request, stream=True)
                async with aclosing(response):
                    if response.is_error:
                        _check(response.status_code, (await response.aread()).decode())
                    async for line in response.aiter_lines():
                        if line.startswith("data: {"):
                            yield json.loads(line.removeprefix("data: "))
                        elif line.startswith("error: "):
                            raise ApiError(500, line.removeprefix("error: "))
            except httpx.TransportError as error:
                await self._ended()
                raise ApiError(500, DIED) from error


def _check(status: int, text: str) -> None:
    """Raise an engine's error as ApiError. Ollama passes the engine's JSON text on within `error`."""
    if status >= httpx.codes.BAD_REQUEST:
        raise ApiError(status, text)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    return await process.stdout.readline() if process.stdout else b""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
