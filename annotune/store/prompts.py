"""The prompts of each project: all versions, the one in use, and whether it is pinned.

Keys of a project (see keys.py): `prompt`, `prompts`, `prompt-number`, `pin`, `system`, `prompts-seen`, `answered:ID`.
"""

import hashlib
import uuid
from collections.abc import Iterable

from annotune.errors import NotFound, RecordUnreadable, RequestInvalid
from annotune.prompt import ProjectPrompt, PromptVersion
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors
from annotune.store.scripts import ADD_PROMPT, REPEATED_S

MAX_VERSIONS = 1000


class PromptStore(Records):
    """Prompt versions. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where what it
    finds is no prompt.
    """

    def used(self, project: int) -> PromptVersion | None:
        """The prompt in use: the pinned version, else the newest."""
        key = self._keys.of(project, "prompt")
        with redis_errors(key):
            found = self._redis.get(key)
        return PromptVersion.parse_record(found, location(key)) if found else None

    def versions(self, project: int) -> list[PromptVersion]:
        """All versions that are kept, oldest first; at most `MAX_VERSIONS`."""
        key = self._keys.of(project, "prompts")
        with redis_errors(key):
            found = self._redis.lrange(key, 0, -1)
        versions = [PromptVersion.parse_record(item, location(key)) for item in found]
        used = None if versions else self.used(project)  # kept by an Annotune that had no versions
        return [used] if used else versions

    def newest(self, project: int) -> PromptVersion | None:
        """The version that was submitted or set last, pinned or not."""
        key = self._keys.of(project, "prompts")
        with redis_errors(key):
            found = self._redis.lindex(key, -1)
        return PromptVersion.parse_record(found, location(key)) if found else self.used(project)

    def add(self, project: int, prompt: ProjectPrompt, *, over_pin: bool = False) -> PromptVersion:
        """Add a version, and use it unless another one is pinned. `over_pin` ends the pin."""
        newest = self.newest(project)
        version = PromptVersion(text=prompt.text, source=prompt.source, at=prompt.at, system=self.system(project))
        names = ("prompts", "prompt", "pin", "prompt-number", f"answered:{uuid.uuid4().hex}")
        keys = [self._keys.of(project, name) for name in names]
        least = newest.number + 1 if newest else 1
        text = version.model_dump_json(exclude={"number"})
        with redis_errors(keys[0]):
            self._redis.sadd(self._keys.projects, project)
            number = self._redis.eval(
                ADD_PROMPT, len(keys), *keys, REPEATED_S, text, least, MAX_VERSIONS, int(over_pin)
            )
        return version.model_copy(update={"number": int(number)})

    def seen(self, project: int) -> frozenset[str]:
        """The `text_sha`s of all prompts that a sync ever found in annotations."""
        key = self._keys.of(project, "prompts-seen")
        with redis_errors(key):
            return frozenset(self._redis.smembers(key))

    def known(self, project: int) -> frozenset[str]:
        """`seen`, and the `text_sha`s of all versions."""
        return self.seen(project) | {text_sha(version.text) for version in self.versions(project)}

    def add_seen(self, project: int, texts: Iterable[str]) -> None:
        """Note prompts that annotations hold."""
        key, shas = self._keys.of(project, "prompts-seen"), [text_sha(text) for text in texts]
        if shas:
            with redis_errors(key):
                self._redis.sadd(key, *shas)

    def pin(self, project: int, version: PromptVersion) -> None:
        """Use this version, and go on using it when others are submitted."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.set(self._keys.of(project, "prompt"), version.model_dump_json())
            pipe.set(self._keys.of(project, "pin"), version.number)
            pipe.execute()
        self.set_system(project, version.system)

    def unpin(self, project: int) -> PromptVersion | None:
        """Use the newest version again, and return it."""
        newest = self.newest(project)
        with redis_errors():
            self._redis.delete(self._keys.of(project, "pin"))
            if newest:
                self._redis.set(self._keys.of(project, "prompt"), newest.model_dump_json())
        return newest

    def pinned(self, project: int) -> int | None:
        """The number of the pinned version, if one is."""
        key = self._keys.of(project, "pin")
        with redis_errors(key):
            found = str(self._redis.get(key) or "")
        if found and not found.isdecimal():
            raise RecordUnreadable(location(key))
        return int(found) if found else None

    def system(self, project: int) -> str | None:
        """The project's own system prompt; None leaves it to the setting `SYSTEM_PROMPT`."""
        key = self._keys.of(project, "system")
        with redis_errors(key):
            found: str | None = self._redis.get(key)
        return found

    def set_system(self, project: int, text: str | None) -> None:
        key = self._keys.of(project, "system")
        with redis_errors():
            self._redis.delete(key) if text is None else self._redis.set(key, text)

    def find(self, project: int, name: str) -> PromptVersion:
        """A version by its number, `3` or `v3`.

        Raises:
            RequestInvalid: the name is no number.
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


def text_sha(text: str) -> str:
    """The first 16 hex digits of the SHA-256 of a prompt as written."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
