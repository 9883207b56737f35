"""The loaded models: loads them, counts their users, and unloads them after a time."""

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

FOREVER_S = 100 * 365 * 24 * 3600.0  # for `expires_at` of a model that stays loaded


@dataclass(frozen=True)
class Limits:
    """`slots` are requests at once for each model, `context` tokens for each by default, `models` loaded at once."""

    slots: int = 2
    context: int = 2048
    models: int = 3
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)


@dataclass
class LoadedModel:
    """A loaded blob.

    `manifest` is the model that it was first loaded for. Other models with the same blob share it, as in Ollama. A `retired`
    one gets no new users, and is unloaded when nobody uses it. `expires` is a time of `time.monotonic()`.
    """

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
    """Loads models when they are needed, and unloads them."""

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self.registry = registry
        self.limits = limits
        self._loaded: dict[str, LoadedModel] = {}  # by blob; the last used is last
        self._loading = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    def loaded(self) -> list[LoadedModel]:
        """The loaded models, last used first."""
        return [model for model in reversed(self._loaded.values()) if model.runner.alive]

    @asynccontextmanager
    async def lease(
        self, model: Manifest, options: Mapping[str, Any], keep_alive_s: float
    ) -> AsyncIterator[LoadedModel]:
        """The loaded model, kept while the block runs and `keep_alive_s` longer (negative: for ever).

        If `num_ctx` or `num_thread` differ from those that it was loaded with, it is loaded again once nobody uses it.
        """
        context = min(options.get("num_ctx") or self.limits.context, model.details.context_length or 2**31)
        threads = options.get("num_thread") or self.limits.threads
        current = self._find(model, context, threads)
        if current is None:
            async with self._loading:
                current = self._find(model, context, threads) or await self._load(model, context, threads)
        self._acquire(current)
        try:
            yield current
        finally:  # nothing is awaited here, because the client may be gone and this task cancelled
            self._release(current, keep_alive_s)

    def unload(self, model: Manifest) -> None:
        """Unload a model as soon as nobody uses it."""
        current = self._loaded.get(model.blob)
        if current is not None:
            current.retired = True
            if not current.users:
                self._unload(current)

    async def close(self) -> None:
        """Unload all models."""
        for current in list(self._loaded.values()):
            self._unload(current)
        await asyncio.gather(*self._closing)

    def _find(self, model: Manifest, context: int, threads: int) -> LoadedModel | None:
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
        """Unload a model once its present users have ended."""
        loaded.retired = True
        if loaded.users and loaded.runner.alive:
            await loaded.idle.wait()
        self._unload(loaded)

    def _acquire(self, loaded: LoadedModel) -> None:
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
            self._unload(loaded)
        elif keep_alive_s > 0:
            loaded.timer = asyncio.get_running_loop().call_later(keep_alive_s, self._unload, loaded)

    def _unload(self, loaded: LoadedModel) -> None:
        if loaded.timer:
            loaded.timer.cancel()
        loaded.idle.set()
        closing = asyncio.ensure_future(loaded.runner.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        if self._loaded.get(loaded.manifest.blob) is loaded:
            del self._loaded[loaded.manifest.blob]
