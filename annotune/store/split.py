"""The split of each project's texts, kept in Redis."""

from collections.abc import Mapping, Sequence
from typing import Any

from annotune.errors import RecordUnreadable
from annotune.split import SplitAssignment, SplitName, assign_splits
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors


class SplitStore(Records):
    """The sides of each project in Redis, which are never deleted. Every method raises StoreUnavailable where Redis does not
    answer, and RecordUnreadable where it holds something else.
    """

    def all(self, project: int) -> dict[str, SplitName]:
        """Every side that was ever decided, by the text's sha."""
        key = self._keys.of(project, "sides")
        with redis_errors(key):
            return _read(self._redis.hgetall(key), key)

    def assign(self, project: int, texts: Sequence[str], fewest: int) -> SplitAssignment:
        """`split`, kept in the same step: whoever asks at the same time gets the same sides."""
        key, number = self._keys.of(project, "sides"), self._keys.of(project, "number")

        def change(pipe: Any) -> SplitAssignment:
            recorded, trained = _read(pipe.hgetall(key), key), pipe.get(number)
            found = assign_splits(recorded, texts, fewest, has_trained=int(trained or 0) > 0)
            pipe.multi()
            if found.new:
                pipe.hset(key, mapping=dict(found.new))
            return found

        with redis_errors(key):
            made: SplitAssignment = self._redis.transaction(change, key, number, value_from_callable=True)
        return made

    def restore(self, project: int, kept: Mapping[str, SplitName], *, emptied: bool) -> None:
        """Bring sides back; what is kept goes before what Redis has only where that came after it was emptied."""
        key = self._keys.of(project, "sides")
        if not kept:
            return
        with redis_errors(key):
            pipe = self._redis.pipeline()
            if emptied:
                pipe.hset(key, mapping=dict(kept))
            else:
                for sha, side in kept.items():
                    pipe.hsetnx(key, sha, side)
            pipe.execute()


def _read(found: Mapping[str, str], key: str) -> dict[str, SplitName]:
    sides: dict[str, SplitName] = {}
    for sha, side in found.items():
        if side not in {"train", "eval"}:
            raise RecordUnreadable(location(key))
        sides[sha] = "train" if side == "train" else "eval"
    return sides
