"""The split of each project's texts. Key of a project (see keys.py): `sides`; `number` is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from annotune.errors import RecordUnreadable
from annotune.split import SplitAssignment, SplitName, assign_splits
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors


class SplitStore(Records):
    """The split of each text, which is never deleted. Every method raises StoreUnavailable where Redis does not answer, and
    RecordUnreadable where it holds something else.
    """

    def all(self, project: int) -> dict[str, SplitName]:
        """The split of each text that has one, by the text's SHA-256."""
        key = self._keys.of(project, "sides")
        with redis_errors(key):
            return _read(self._redis.hgetall(key), key)

    def assign(self, project: int, texts: Sequence[str], min_train: int, groups: Sequence[str] = ()) -> SplitAssignment:
        """Run `assign_splits` and save the new splits in one step, so that two callers get the same ones."""
        key, number = self._keys.of(project, "sides"), self._keys.of(project, "number")

        def change(pipe: Any) -> SplitAssignment:
            recorded, last_number = _read(pipe.hgetall(key), key), pipe.get(number)
            assignment = assign_splits(recorded, texts, min_train, has_trained=int(last_number or 0) > 0, groups=groups)
            pipe.multi()
            if assignment.new:
                pipe.hset(key, mapping=dict(assignment.new))
            return assignment

        with redis_errors(key):
            assigned: SplitAssignment = self._redis.transaction(change, key, number, value_from_callable=True)
        return assigned

    def preview(
        self, project: int, texts: Sequence[str], min_train: int, groups: Sequence[str] = ()
    ) -> SplitAssignment:
        """What `assign` would return now. Nothing is saved."""
        key, number = self._keys.of(project, "sides"), self._keys.of(project, "number")
        with redis_errors(key):
            recorded, last_number = _read(self._redis.hgetall(key), key), self._redis.get(number)
        return assign_splits(recorded, texts, min_train, has_trained=int(last_number or 0) > 0, groups=groups)

    def restore(self, project: int, saved: Mapping[str, SplitName], *, emptied: bool) -> None:
        """Write back splits that were saved elsewhere.

        Where a text has another split now, the saved one replaces it if Redis was emptied, and gives way otherwise.
        """
        key = self._keys.of(project, "sides")
        if not saved:
            return
        with redis_errors(key):
            pipe = self._redis.pipeline()
            if emptied:
                pipe.hset(key, mapping=dict(saved))
            else:
                for sha, split in saved.items():
                    pipe.hsetnx(key, sha, split)
            pipe.execute()


def _read(fields: Mapping[str, str], key: str) -> dict[str, SplitName]:
    splits: dict[str, SplitName] = {}
    for sha, split in fields.items():
        if split not in {"train", "eval"}:
            raise RecordUnreadable(location(key))
        splits[sha] = "train" if split == "train" else "eval"
    return splits
