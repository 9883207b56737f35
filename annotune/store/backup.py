"""The copy of a project's pointers and prompts that a worker keeps on its disk: read from Redis and written back.

Keys (see keys.py): `mark` of the deployment; of a project it reads and restores `live`, `past`, `prompt`, `prompts`, `pin`,
`prompt-number`, `system` and `options`. The mark is a random id. If it is gone, Redis was emptied.
"""

from dataclasses import dataclass
from typing import Any

from annotune.models import ModelRef
from annotune.project_options import ProjectOptions
from annotune.prompt import PromptVersion
from annotune.store.prompts import MAX_VERSIONS
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors
from annotune.store.scripts import CLAIM


@dataclass(frozen=True)
class ProjectState:
    """The live model, the models before it (newest first) and the prompt versions (oldest first) of a project.

    `used` is the prompt in use, `pinned` the number of the pinned version, `system` the project's own system prompt,
    `options` what a person decided about the project.
    """

    live: ModelRef | None = None
    past: tuple[ModelRef, ...] = ()
    used: PromptVersion | None = None
    prompts: tuple[PromptVersion, ...] = ()
    pinned: int | None = None
    system: str | None = None
    options: ProjectOptions | None = None


class Backup(Records):
    """Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where a key holds something
    else.
    """

    def mark(self) -> str:
        """The id of this Redis; empty if no worker has set one since Redis was emptied."""
        with redis_errors():
            return str(self._redis.get(self._keys.mark) or "")

    def claim(self, mark: str) -> str:
        """Set the mark unless there is one; return the mark that is there."""
        with redis_errors():
            self._redis.eval(CLAIM, 1, self._keys.mark, mark)
        return self.mark()

    def read(self, project: int) -> tuple[str, ProjectState]:
        """The mark, and the state of a project at the same moment."""
        keys = self._project_keys(project)
        with redis_errors(keys["prompts"]):
            pipe = self._redis.pipeline()
            for key in (self._keys.mark, *(keys[name] for name in ("live", "prompt", "pin", "system", "options"))):
                pipe.get(key)
            pipe.lrange(keys["past"], 0, -1)
            pipe.lrange(keys["prompts"], 0, -1)
            mark, live, used, pinned, system, options, past, prompts = pipe.execute()
        return mark or "", ProjectState(
            live=ModelRef.parse_record(live, location(keys["live"])) if live else None,
            past=tuple(ModelRef.parse_record(record, location(keys["past"])) for record in past),
            used=PromptVersion.parse_record(used, location(keys["prompt"])) if used else None,
            prompts=tuple(PromptVersion.parse_record(record, location(keys["prompts"])) for record in prompts),
            pinned=int(pinned) if pinned else None,
            system=system,
            options=ProjectOptions.parse_record(options, location(keys["options"])) if options else None,
        )

    def restore(self, project: int, saved: ProjectState, *, emptied: bool) -> bool:
        """Write a saved state back. What Redis has stays in use. Running it again changes nothing.

        `emptied` says that Redis was emptied after the state was saved. Everything in Redis is then newer, and the saved
        state goes before it. Otherwise the saved state may be older. It then replaces only a pointer or prompts that are
        missing.

        Returns:
            Whether the live pointer was restored.
        """
        keys = self._project_keys(project)
        restored = False

        def change(pipe: Any) -> None:
            nonlocal restored
            _, now = self.read(project)
            pipe.multi()
            pipe.sadd(self._keys.projects, project)
            restored = saved.live is not None and now.live is None
            if saved.live and now.live is None:
                pipe.set(keys["live"], saved.live.model_dump_json())
            if emptied or restored:
                past = _past(now, saved)
                if past != now.past:
                    pipe.delete(keys["past"])
                    pipe.rpush(keys["past"], *(ref.model_dump_json() for ref in past))
            if saved.options and now.options is None:
                pipe.set(keys["options"], saved.options.model_dump_json())
            if emptied or not now.prompts:
                self._restore_prompts(pipe, keys, now, saved)

        with redis_errors(keys["live"]):
            self._redis.transaction(change, *keys.values())
        return restored

    def _restore_prompts(self, pipe: Any, keys: dict[str, str], now: ProjectState, saved: ProjectState) -> None:
        """Write the saved versions, then the newer ones, which get the next numbers.

        A saved pin holds, as it would have held, unless a command has set another prompt since.
        """
        if now.system is None and saved.system is not None:
            pipe.set(keys["system"], saved.system)
        older, present = (state.prompts or ((state.used,) if state.used else ()) for state in (saved, now))
        newer = [version for version in present if not any(_same(version, old) for old in older)]
        if not older or len(present) - len(newer) == len(older):
            return
        next_number = max(version.number for version in older) + 1
        renumbered = [
            version.model_copy(update={"number": number}) for number, version in enumerate(newer, start=next_number)
        ]
        versions = [*older, *renumbered][-MAX_VERSIONS:]
        if now.used and (now.pinned or not saved.pinned or any(version.source == "command" for version in newer)):
            used = next((version for version in reversed(versions) if _same(version, now.used)), versions[-1])
            pinned = now.pinned is not None
        else:
            used = saved.used or versions[-1]
            pinned = saved.pinned is not None
        pipe.delete(keys["prompts"])
        pipe.rpush(keys["prompts"], *(version.model_dump_json() for version in versions))
        pipe.set(keys["prompt-number"], versions[-1].number)
        pipe.set(keys["prompt"], used.model_dump_json())
        if pinned:
            pipe.set(keys["pin"], used.number)

    def _project_keys(self, project: int) -> dict[str, str]:
        names = ("live", "past", "prompt", "prompts", "pin", "prompt-number", "system", "options")
        return {name: self._keys.of(project, name) for name in names}


def _past(now: ProjectState, saved: ProjectState) -> tuple[ModelRef, ...]:
    """The models that were live before. Those that were saved go below a pointer that was set since."""
    if saved.live is None or saved.live in now.past:
        return now.past
    if now.live in {None, saved.live}:
        return now.past or saved.past
    return (*now.past, saved.live, *saved.past)


def _same(one: PromptVersion, other: PromptVersion) -> bool:
    return (one.text, one.source, one.at) == (other.text, other.source, other.at)
