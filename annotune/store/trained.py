"""The content of annotations that was trained on, as short SHA-256s (`Origin.content`) by annotation id.

Keys of a project (see keys.py): `tried`, `learnt`; `dataset` of old versions is read.
"""

from collections.abc import Mapping

from annotune.store.records import Records
from annotune.store.redis import redis_errors

UNKNOWN = ""
"""The content of an annotation of which only the id was kept."""


class TrainedStore(Records):
    """Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where it holds something
    else.
    """

    def tried(self, project: int) -> dict[int, str]:
        """The contents in the last run that reached its training.

        Versions up to 0.2 kept the ids alone, of all annotations that any run had read. Those count as tried.
        """
        contents = self._contents(project, "tried")
        if contents:
            return contents
        key = self._keys.of(project, "dataset")
        with redis_errors(key):
            return {int(annotation): UNKNOWN for annotation in self._redis.smembers(key)}

    def set_tried(self, project: int, contents: Mapping[int, str]) -> None:
        """Replace what was tried before."""
        key = self._keys.of(project, "tried")
        with redis_errors(key):
            pipe = self._redis.pipeline()
            pipe.delete(key)
            if contents:
                pipe.hset(key, mapping={str(annotation): content for annotation, content in contents.items()})
            pipe.execute()

    def learnt(self, project: int) -> dict[int, str]:
        """The contents in the datasets of versions that passed their gates; of each annotation the last one."""
        return self._contents(project, "learnt")

    def add_learnt(self, project: int, contents: Mapping[int, str]) -> None:
        """Add the contents in the dataset of a version that passed its gates."""
        key = self._keys.of(project, "learnt")
        if contents:
            with redis_errors(key):
                self._redis.hset(key, mapping={str(annotation): content for annotation, content in contents.items()})

    def _contents(self, project: int, name: str) -> dict[int, str]:
        key = self._keys.of(project, name)
        with redis_errors(key):
            fields = self._redis.hgetall(key)
        return {int(annotation): content for annotation, content in fields.items() if annotation.isdecimal()}


def fill_unknown(known: Mapping[int, str], now: Mapping[int, str]) -> dict[int, str]:
    """Replace each unknown content by what the annotation holds now."""
    return {annotation: content or now.get(annotation, UNKNOWN) for annotation, content in known.items()}


def count_changed(now: Mapping[int, str], known: Mapping[int, str]) -> int:
    """How many annotations of `now` are new in it or hold another content than in `known`. Deleted ones do not count."""
    return sum(known.get(annotation) != content for annotation, content in now.items())
