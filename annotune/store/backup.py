"""What a worker keeps of Redis on its disk, read in one step, and how it comes back; and the mark by which it is known that
Redis was emptied: a random id that goes with all else.
"""

from dataclasses import dataclass
from typing import Any

from annotune.models import ModelRef
from annotune.prompt import PromptVersion
from annotune.store.prompts import MAX_VERSIONS
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors
from annotune.store.scripts import CLAIM


@dataclass(frozen=True)
class ProjectState:
    """Of one project: what is live, what was before it (newest first), and its prompts (oldest first).

    `used` is the prompt that is asked with, `pinned` the number of the one that stays, `system` the project's own.
    """

    live: ModelRef | None = None
    past: tuple[ModelRef, ...] = ()
    used: PromptVersion | None = None
    prompts: tuple[PromptVersion, ...] = ()
    pinned: int | None = None
    system: str | None = None


class Backup(Records):
    """Every method raises StoreUnavailable where Redis does not answer, RecordUnreadable where it finds no such record."""

    def mark(self) -> str:
        """The id of this Redis; empty where no worker has set one, or where it was emptied since."""
        with redis_errors():
            return str(self._redis.get(self._keys.mark) or "")

    def claim(self, mark: str) -> str:
        """Set the mark, unless there is one; the one that is there."""
        with redis_errors():
            self._redis.eval(CLAIM, 1, self._keys.mark, mark)
        return self.mark()

    def read(self, project: int) -> tuple[str, ProjectState]:
        """The mark, and a project as it is at the same moment."""
        name = self._names(project)
        with redis_errors(name["prompts"]):
            pipe = self._redis.pipeline()
            for key in (self._keys.mark, name["live"], name["prompt"], name["pin"], name["system"]):
                pipe.get(key)
            pipe.lrange(name["past"], 0, -1)
            pipe.lrange(name["prompts"], 0, -1)
            mark, live, used, pinned, system, past, prompts = pipe.execute()
        return mark or "", ProjectState(
            live=ModelRef.parse_record(live, location(name["live"])) if live else None,
            past=tuple(ModelRef.parse_record(item, location(name["past"])) for item in past),
            used=PromptVersion.parse_record(used, location(name["prompt"])) if used else None,
            prompts=tuple(PromptVersion.parse_record(item, location(name["prompts"])) for item in prompts),
            pinned=int(pinned) if pinned else None,
            system=system,
        )

    def restore(self, project: int, kept: ProjectState, *, emptied: bool) -> bool:
        """Bring a project back. What Redis has stays in use; True: the live pointer came back. Again changes nothing.

        `emptied`: what Redis has was put there since it was emptied, so that what is kept goes before it. Else what is kept
        may be the older, and comes back only in place of a pointer or of prompts that are not there.
        """
        name = self._names(project)
        came_back = False

        def change(pipe: Any) -> None:
            nonlocal came_back
            _, now = self.read(project)
            pipe.multi()
            pipe.sadd(self._keys.projects, project)
            came_back = kept.live is not None and now.live is None
            if kept.live and now.live is None:
                pipe.set(name["live"], kept.live.model_dump_json())
            if emptied or came_back:
                past = _past(now, kept)
                if past != now.past:
                    pipe.delete(name["past"])
                    pipe.rpush(name["past"], *(ref.model_dump_json() for ref in past))
            if emptied or not now.prompts:
                self._restore_prompts(pipe, name, now, kept)

        with redis_errors(name["live"]):
            self._redis.transaction(change, *name.values())
        return came_back

    def _restore_prompts(self, pipe: Any, name: dict[str, str], now: ProjectState, kept: ProjectState) -> None:
        """The versions that are kept, then those that came since, which get the next numbers.

        A pin that is kept holds, as it would have held, unless a command chose another prompt meanwhile.
        """
        if now.system is None and kept.system is not None:
            pipe.set(name["system"], kept.system)
        older, there = (every.prompts or ((every.used,) if every.used else ()) for every in (kept, now))
        newer = [version for version in there if not any(_same(version, one) for one in older)]
        if not older or len(there) - len(newer) == len(older):
            return
        next_number = max(version.number for version in older) + 1
        since = [one.model_copy(update={"number": number}) for number, one in enumerate(newer, start=next_number)]
        everything = [*older, *since][-MAX_VERSIONS:]
        if now.used and (now.pinned or not kept.pinned or any(version.source == "command" for version in newer)):
            used = next((one for one in reversed(everything) if _same(one, now.used)), everything[-1])
            pinned = now.pinned is not None
        else:
            used = kept.used or everything[-1]
            pinned = kept.pinned is not None
        pipe.delete(name["prompts"])
        pipe.rpush(name["prompts"], *(version.model_dump_json() for version in everything))
        pipe.set(name["prompt-number"], everything[-1].number)
        pipe.set(name["prompt"], used.model_dump_json())
        if pinned:
            pipe.set(name["pin"], used.number)

    def _names(self, project: int) -> dict[str, str]:
        names = ("live", "past", "prompt", "prompts", "pin", "prompt-number", "system")
        return {name: self._keys.of(project, name) for name in names}


def _past(now: ProjectState, kept: ProjectState) -> tuple[ModelRef, ...]:
    """What was live before; below a pointer that was set since, what was live then."""
    if kept.live is None or kept.live in now.past:
        return now.past
    if now.live in {None, kept.live}:
        return now.past or kept.past
    return (*now.past, kept.live, *kept.past)


def _same(one: PromptVersion, other: PromptVersion) -> bool:
    return (one.text, one.source, one.at) == (other.text, other.source, other.at)
