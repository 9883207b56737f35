"""The training runs of each project that have ended.

Keys, in a deployment D, for a project P:

    annotune:D:P:runs   list of `TrainingRun`s without their `contents`, newest first
"""

from annotune.runs import TrainingRun
from annotune.store.records import Records
from annotune.store.redis import redis_errors

MAX_RUNS = 100


class RunStore(Records):
    """Ended runs. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where what it
    finds is no run.
    """

    def save(self, run: TrainingRun) -> None:
        """Put a run first; the newest `RUNS_KEPT` stay. Saving one twice does no harm."""
        key, text = self._keys.of(run.project, "runs"), run.model_dump_json(exclude={"contents"})
        with redis_errors(key):
            pipe = self._redis.pipeline()
            pipe.lrem(key, 0, text)  # it may have been kept, and the answer lost
            pipe.lpush(key, text)
            pipe.ltrim(key, 0, MAX_RUNS - 1)
            pipe.execute()

    def all(self, project: int) -> list[TrainingRun]:
        """Ended runs, newest first."""
        return self._values(TrainingRun, project, "runs")
