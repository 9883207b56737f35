"""What the annotations of each project hold, as short shas: what the last run tried, and what a version has learnt."""

from collections.abc import Mapping

from annotune.store.records import Records
from annotune.store.redis import redis_errors

UNKNOWN = ""
"""Stands for what an annotation held, where its id alone was kept."""


class TrainedStore(Records):
    """Contents by annotation (`Origin.content`) in Redis. Every method raises StoreUnavailable where Redis does not answer,
    and RecordUnreadable where it holds something else.
    """

    def tried(self, project: int) -> dict[int, str]:
        """What the last run that came to training held.

        Versions up to 0.2 kept the ids alone, of all that any run had read: those count as tried.
        """
        found = self._contents(project, "tried")
        if found:
            return found
        key = self._keys.of(project, "dataset")
        with redis_errors(key):
            return {int(each): UNKNOWN for each in self._redis.smembers(key)}

    def set_tried(self, project: int, contents: Mapping[int, str]) -> None:
        """In place of what was tried before."""
        key = self._keys.of(project, "tried")
        with redis_errors(key):
            pipe = self._redis.pipeline()
            pipe.delete(key)
            if contents:
                pipe.hset(key, mapping={str(annotation): content for annotation, content in contents.items()})
            pipe.execute()

    def learnt(self, project: int) -> dict[int, str]:
        """What was in the dataset of a version that passed its gates; of each annotation the last such content."""
        return self._contents(project, "learnt")

    def add_learnt(self, project: int, contents: Mapping[int, str]) -> None:
        """A version passed that learnt these."""
        key = self._keys.of(project, "learnt")
        if contents:
            with redis_errors(key):
                self._redis.hset(key, mapping={str(annotation): content for annotation, content in contents.items()})

    def _contents(self, project: int, name: str) -> dict[int, str]:
        key = self._keys.of(project, name)
        with redis_errors(key):
            found = self._redis.hgetall(key)
        return {int(annotation): content for annotation, content in found.items() if annotation.isdecimal()}


def fill_unknown(kept: Mapping[int, str], now: Mapping[int, str]) -> dict[int, str]:
    """With what an annotation holds now in place of what is unknown."""
    return {each: content or now.get(each, UNKNOWN) for each, content in kept.items()}


def count_changed(now: Mapping[int, str], kept: Mapping[int, str]) -> int:
    """How many annotations hold something that is not among what is kept. What was deleted is none of them."""
    return sum(kept.get(each) != content for each, content in now.items())
