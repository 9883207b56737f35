"""The training runs of each project that have ended. Key of a project (see keys.py): `runs`."""

from annotune.runs import TrainingRun
from annotune.store.records import Records
from annotune.store.redis import redis_errors

MAX_RUNS = 100


class RunStore(Records):
    """Ended runs. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where what it
    finds is no run.
    """

    def save(self, run: TrainingRun) -> None:
        """Put a run first, without its `contents`; the newest `MAX_RUNS` stay. Saving one twice does no harm."""
        key, text = self._keys.of(run.project, "runs"), run.model_dump_json(exclude={"contents"})
        with redis_errors(key):
            pipe = self._redis.pipeline()
            pipe.lrem(key, 0, text)  # it was saved, if only the reply was lost
            pipe.lpush(key, text)
            pipe.ltrim(key, 0, MAX_RUNS - 1)
            pipe.execute()

    def all(self, project: int) -> list[TrainingRun]:
        """Ended runs, newest first."""
        return self._values(TrainingRun, project, "runs")
