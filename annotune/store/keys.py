"""The names of all keys in Redis, and of the queues. Each deployment has its own, so that several can share one Redis.

A key is `annotune:D:NAME` in a deployment D, or `annotune:D:P:NAME` for a project P. D may be a number too; the name after
it tells the two forms apart, since no name belongs both to a deployment and to a project. Values are JSON where they name a
class.

    annotune:D:projects          set of the ids of the known projects
    annotune:D:worker            time of a worker's last heartbeat, seconds since 1970; expires
    annotune:D:findings          `WorkerReport` of a worker that is alive; expires
    annotune:D:mark              random id of this Redis; lost with everything else when Redis is emptied
    annotune:D:start             run id of the start of Redis that was noted last
    annotune:D:probe             written to see whether Redis keeps new data; expires
    annotune:D:answers-kept      retention of the kept answers, in seconds; 0 is for ever
    annotune:D:P:changes         counter, raised by each change that Label Studio reports
    annotune:D:P:looked          the counter as it was when the last sync began
    annotune:D:P:queued          token of the change that queued a job; set while the job waits; expires
    annotune:D:P:tally           `SyncSummary` of the last sync
    annotune:D:P:live            `ModelRef` of the live model
    annotune:D:P:past            list of the `ModelRef`s that were live before, newest first
    annotune:D:P:answered:ID     the first reply to a request that may be sent twice; expires
    annotune:D:P:prompt          `PromptVersion` in use
    annotune:D:P:prompts         list of all `PromptVersion`s, oldest first
    annotune:D:P:prompt-number   the last number that a prompt version got
    annotune:D:P:pin             number of the pinned prompt version
    annotune:D:P:system          the project's own system prompt
    annotune:D:P:prompts-seen    set of short SHA-256s of all prompts that annotations ever held
    annotune:D:P:options         `ProjectOptions`: the template, the controls that a model fills
    annotune:D:P:parameters      `ExtraParams` of the connection in Label Studio
    annotune:D:P:answers:T       list of the answers given for task T, oldest first; may expire
    annotune:D:P:asked:ID        prompt that answers name by ID; may expire
    annotune:D:P:versions        hash of number -> `ModelVersion`
    annotune:D:P:number          the last version number that was given out
    annotune:D:P:training        `TrainingRequest`; kept until its training has ended
    annotune:D:P:progress        `Progress` of the training that runs
    annotune:D:P:runs            list of ended `TrainingRun`s, newest first
    annotune:D:P:tried           hash of annotation id -> short SHA-256 of its content in the last training
    annotune:D:P:learnt          the same, of its content in the last version that passed the gates
    annotune:D:P:sides           hash of SHA-256 of a labelled text -> its split, `train` or `eval`
    annotune:D:P:lease:NAME      token of the process that holds the lease; expires
    annotune:D:P:batch           `Batch`: how the last batch of predictions ended; expires
    annotune:D:P:scores          why Label Studio does not show the scores of the live model

Versions up to 0.2 also wrote this key, which is still read:

    annotune:D:P:dataset         set of the ids of all annotations that any run had read

RQ keeps its own keys, `rq:*`. A queue's name in them is `annotune-D-changes` or `annotune-D-training`.
"""

from dataclasses import dataclass

PREFIX = "annotune"


@dataclass(frozen=True)
class Keys:
    """The names that one deployment uses. The module says what each key holds."""

    deployment: str

    @property
    def projects(self) -> str:
        return self._shared("projects")

    @property
    def worker(self) -> str:
        return self._shared("worker")

    @property
    def findings(self) -> str:
        return self._shared("findings")

    @property
    def probe(self) -> str:
        return self._shared("probe")

    @property
    def start(self) -> str:
        return self._shared("start")

    @property
    def mark(self) -> str:
        return self._shared("mark")

    @property
    def answers_kept(self) -> str:
        return self._shared("answers-kept")

    def of(self, project: int | str, name: str) -> str:
        """The key of a project, such as `live` or `answers:7`."""
        return f"{PREFIX}:{self.deployment}:{project}:{name}"

    def queue(self, kind: str) -> str:
        """RQ's name for the queue of a kind of job."""
        return f"{PREFIX}-{self.deployment}-{kind}"

    def _shared(self, name: str) -> str:
        return f"{PREFIX}:{self.deployment}:{name}"
