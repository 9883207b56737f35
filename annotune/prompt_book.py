"""The prompts of each project: every version, which one is used, and whether it is pinned."""

from typing import Any

from annotune.connection import redis_errors
from annotune.errors import NotFound, RequestInvalid
from annotune.example import ProjectPrompt, PromptVersion
from annotune.keys import Keys

KEPT = 1000
# Of keys (versions, used, pin): the version is kept, and used unless another is pinned (or it is wanted all the same).
_ADD = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
if ARGV[3] == '1' or redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SET', KEYS[2], ARGV[1])
  return 1
end
return 0
"""


class PromptBook:
    """Prompts in Redis. Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, client: Any, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def used(self, project: int) -> PromptVersion | None:
        """The prompt of a project: the one that is pinned, else the newest."""
        with redis_errors():
            found = self._redis.get(self._keys.of(project, "prompt"))
        return PromptVersion.model_validate_json(found) if found else None

    def versions(self, project: int) -> list[PromptVersion]:
        """All that are kept, oldest first."""
        with redis_errors():
            found = self._redis.lrange(self._keys.of(project, "prompts"), 0, -1)
        versions = [PromptVersion.model_validate_json(item) for item in found]
        used = None if versions else self.used(project)  # what was kept before there were versions
        return [used] if used else versions

    def newest(self, project: int) -> PromptVersion | None:
        """The last one that was submitted or set, pinned or not."""
        return next(reversed(self.versions(project)), None)

    def add(self, project: int, prompt: ProjectPrompt, *, over_pin: bool) -> PromptVersion:
        """Keep a new version. It is used from now on, unless another is pinned and `over_pin` is not said."""
        older = self.versions(project)
        keys = [self._keys.of(project, name) for name in ("prompts", "prompt", "pin")]
        with redis_errors():
            if older and not self._redis.exists(keys[0]):
                self._redis.rpush(keys[0], older[0].model_dump_json())
            number = max(
                self._redis.incr(self._keys.of(project, "prompt-number")), (older[-1].number if older else 0) + 1
            )
            self._redis.set(self._keys.of(project, "prompt-number"), number)
            version = PromptVersion(
                text=prompt.text, source=prompt.source, at=prompt.at, number=number, system=self.system(project)
            )
            self._redis.sadd(self._keys.projects, project)
            self._redis.eval(_ADD, len(keys), *keys, version.model_dump_json(), KEPT, "1" if over_pin else "0")
            if over_pin:
                self._redis.delete(keys[2])
        return version

    def pin(self, project: int, version: PromptVersion) -> None:
        """Use a version, whatever is submitted from now on."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.set(self._keys.of(project, "prompt"), version.model_dump_json())
            pipe.set(self._keys.of(project, "pin"), version.number)
            pipe.execute()
        self.set_system(project, version.system)

    def unpin(self, project: int) -> PromptVersion | None:
        """Use the newest again."""
        newest = self.newest(project)
        with redis_errors():
            self._redis.delete(self._keys.of(project, "pin"))
            if newest:
                self._redis.set(self._keys.of(project, "prompt"), newest.model_dump_json())
        return newest

    def pinned(self, project: int) -> int | None:
        """The number of the pinned version."""
        with redis_errors():
            found = self._redis.get(self._keys.of(project, "pin"))
        return int(found) if found else None

    def system(self, project: int) -> str | None:
        """The project's own system message; None leaves it to `SYSTEM_PROMPT`."""
        with redis_errors():
            found: str | None = self._redis.get(self._keys.of(project, "system"))
        return found

    def set_system(self, project: int, text: str | None) -> None:
        key = self._keys.of(project, "system")
        with redis_errors():
            self._redis.delete(key) if text is None else self._redis.set(key, text)

    def find(self, project: int, name: str) -> PromptVersion:
        """A version by its number, as `3` or `v3`.

        Raises:
            RequestInvalid: it is no number.
            NotFound: the project has no such version.
        """
        bare = name.removeprefix("v")
        if not bare.isdecimal():
            raise RequestInvalid(
                f"{name!r} is no version of a prompt: write its number, as 'annotune prompts list' shows"
            )
        found = next((version for version in self.versions(project) if version.number == int(bare)), None)
        if found is None:
            raise NotFound(
                f"project {project} has no version {bare} of its prompt: see 'annotune prompts list {project}'"
            )
        return found

    def restore(
        self, project: int, versions: tuple[PromptVersion, ...], pinned: int | None, system: str | None
    ) -> None:
        """Bring back what a project had; nothing where it has versions."""
        if not versions or self.versions(project):
            return
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.rpush(self._keys.of(project, "prompts"), *(version.model_dump_json() for version in versions))
            pipe.set(self._keys.of(project, "prompt-number"), versions[-1].number)
            pipe.set(self._keys.of(project, "prompt"), versions[-1].model_dump_json())
            pipe.execute()
        self.set_system(project, system)
        kept = next((version for version in versions if version.number == pinned), None)
        if kept:
            self.pin(project, kept)
