"""Which models are loaded, for how long, and who is using them."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from embedded.ollama.registry import Manifest, Registry
from embedded.ollama.runner import Runner

FOREVER_S = 100 * 365 * 24 * 3600.0  # what `expires_at` says of a model that stays


@dataclass(frozen=True)
class Limits:
    """`slots` requests at once per model, `context` tokens each unless asked otherwise, `models` loaded at once."""

    slots: int = 2
    context: int = 2048
    models: int = 3
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)


@dataclass
class LoadedModel:
    """`shown` is the model that it was first loaded for; others with the same blob share it, as in Ollama."""

    manifest: Manifest
    context: int
    threads: int
    runner: Runner
    load_ns: int
    users: int = 0
    retired: bool = False
    expires: float = 0.0
    timer: asyncio.TimerHandle | None = None
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def expires_at(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.expires - time.monotonic())


class Pool:
    def __init__(self, registry: Registry, limits: Limits) -> None:
        self.registry = registry
        self.limits = limits
        self._loaded: dict[str, LoadedModel] = {}  # by blob; the last used comes last
        self._loading = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    def loaded(self) -> list[LoadedModel]:
        """The last used first."""
        return [model for model in reversed(self._loaded.values()) if model.runner.alive]

    @asynccontextmanager
    async def lease(
        self, model: Manifest, options: Mapping[str, Any], keep_alive_s: float
    ) -> AsyncIterator[LoadedModel]:
        """The model, loaded, and kept while the block runs and `keep_alive_s` longer (negative: forever).

        Another `num_ctx` or `num_thread` than it was loaded with loads it anew, once nobody uses it.
        """
        context = min(options.get("num_ctx") or self.limits.context, model.details.context_length or 2**31)
        threads = options.get("num_thread") or self.limits.threads
        current = self._fitting(model, context, threads)
        if current is None:
            async with self._loading:
                current = self._fitting(model, context, threads) or await self._load(model, context, threads)
        self._take(current)
        try:
            yield current
        finally:  # nothing is awaited here: the client may have left
            self._release(current, keep_alive_s)

    def unload(self, model: Manifest) -> None:
        """As soon as nobody uses it."""
        current = self._loaded.get(model.blob)
        if current is not None:
            current.retired = True
            if not current.users:
                self._drop(current)

    async def close(self) -> None:
        for current in list(self._loaded.values()):
            self._drop(current)
        await asyncio.gather(*self._closing)

    def _fitting(self, model: Manifest, context: int, threads: int) -> LoadedModel | None:
        current = self._loaded.get(model.blob)
        if current is None or not current.runner.alive or current.retired:
            return None
        return current if (current.context, current.threads) == (context, threads) else None

    async def _load(self, model: Manifest, context: int, threads: int) -> LoadedModel:
        if model.blob in self._loaded:
            await self._retire(self._loaded[model.blob])
        while len(self._loaded) >= self.limits.models:
            idle = (loaded for loaded in self._loaded.values() if not loaded.users)
            await self._retire(next(idle, next(iter(self._loaded.values()))))
        started = time.monotonic_ns()
        blob = self.registry.blob_path(model.blob)
        log = self.registry.folder / "logs" / f"{blob.name}.log"
        slots = self.limits.slots
        runner = await Runner.start(blob, context=context, slots=slots, threads=threads, log=log)
        loaded = LoadedModel(model, context, threads, runner, time.monotonic_ns() - started)
        self._loaded[model.blob] = loaded
        return loaded

    async def _retire(self, loaded: LoadedModel) -> None:
        """Those who use it may end; nobody new gets it."""
        loaded.retired = True
        if loaded.users and loaded.runner.alive:
            await loaded.idle.wait()
        self._drop(loaded)

    def _take(self, loaded: LoadedModel) -> None:
        blob = loaded.manifest.blob
        self._loaded[blob] = self._loaded.pop(blob, loaded)
        loaded.users += 1
        loaded.idle.clear()
        if loaded.timer:
            loaded.timer.cancel()

    def _release(self, loaded: LoadedModel, keep_alive_s: float) -> None:
        loaded.users -= 1
        loaded.expires = time.monotonic() + (keep_alive_s if keep_alive_s >= 0 else FOREVER_S)
        if loaded.users:
            return
        loaded.idle.set()
        if keep_alive_s == 0 or loaded.retired or not loaded.runner.alive:
            self._drop(loaded)
        elif keep_alive_s > 0:
            loaded.timer = asyncio.get_running_loop().call_later(keep_alive_s, self._drop, loaded)

    def _drop(self, loaded: LoadedModel) -> None:
        if loaded.timer:
            loaded.timer.cancel()
        loaded.idle.set()
        closing = asyncio.ensure_future(loaded.runner.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        if self._loaded.get(loaded.manifest.blob) is loaded:
            del self._loaded[loaded.manifest.blob]
