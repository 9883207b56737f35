"""What is kept in Redis: live pointers, prompts, answers, versions, and what is to be done.

All values are JSON. Keys, in a deployment D (see keys.py), for a project P:

    annotune:D:projects                 set of project ids that were seen
    annotune:D:P:changes                counter, raised by each change that Label Studio tells of
    annotune:D:P:looked                 the counter as it was at the last look at Label Studio
    annotune:D:P:queued                 set while a "changed" job waits in the queue
    annotune:D:P:live, annotune:D:P:past  the live model; the list of those before it, newest first
    annotune:D:P:prompt                 the project's prompt
    annotune:D:P:answers:T, annotune:D:P:asked:ID  answers given for task T, and their prompts: see answers.py
    annotune:D:P:versions               hash number -> ModelVersion
    annotune:D:P:number                 the last version number given out
    annotune:D:P:tried, annotune:D:P:learnt  hashes of annotation id -> sha of what it held (see trained.py)
    annotune:D:P:prompts-seen           set of shas of all prompts that were ever seen
    annotune:D:P:tally                  what the last look at Label Studio counted
    annotune:D:P:sides                  hash sha of a labelled text -> its side of the split (see split.py)
    annotune:D:P:training, annotune:D:P:progress  the training that is wanted or running, and how far it is
    annotune:D:P:lease:NAME             token of whoever holds a lease; expires
    annotune:D:P:runs                   list of ended runs, newest first
    annotune:D:P:batch, annotune:D:P:scores  what is told of the last batch and of scores (see reports.py)
"""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import redis

from annotune.answer import Answer
from annotune.errors import TooManyProjects
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, ModelVersion
from annotune.prompt import ProjectPrompt, PromptVersion
from annotune.runs import Progress, SyncSummary, TrainingRequest, TrainingRun
from annotune.settings import DAY_S
from annotune.store.answers import AnswerStore
from annotune.store.backup import Backup
from annotune.store.changes import QUEUED_S, Due, due, note_changes, pages
from annotune.store.keys import Keys
from annotune.store.migration import Migrated, has_old_keys, migrate
from annotune.store.prompts import PromptStore
from annotune.store.records import Records
from annotune.store.redis import Patience, connect_redis, in_redis, redis_errors
from annotune.store.reports import ReportStore
from annotune.store.scripts import BACK, CLAIM, RAISE, RELEASE, REMEMBER, RENEW, REPEATED_S, SWAP
from annotune.store.serving import ServingState
from annotune.store.split import SplitStore
from annotune.store.trained import TrainedStore
from annotune.store.workers import WorkerStore

PAST_KEPT = 20
RUNS_KEPT = 100
PROJECTS_KNOWN = 10_000
# What comes again by itself: it goes with a project that Label Studio does not have.
PASSING = ("changes", "looked", "queued", "tally", "training", "progress", "parameters", "batch", "scores")
PROBE_S = 60
FORGOTTEN_S = 30 * DAY_S  # not at once: a wrong LABEL_STUDIO_URL looks as if all projects were gone


@dataclass(frozen=True)
class Started:
    """A start of Redis: `id` is another for each; `noted` is the one that was noted in it, empty where none was."""

    id: str
    up_s: float
    noted: str


class Store(Records):
    """Redis, in our words. Every method raises as those of `Records` do."""

    def __init__(self, client: redis.Redis, deployment: str = "main") -> None:
        super().__init__(client, Keys(deployment))
        self.prompts = PromptStore(client, self.keys)
        self.trained = TrainedStore(client, self.keys)
        self.splits = SplitStore(client, self.keys)
        self.answer_book = AnswerStore(client, self.keys)
        self.backup = Backup(client, self.keys)
        self.reports = ReportStore(client, self.keys)
        self.workers = WorkerStore(client, self.keys)

    @classmethod
    def connect(cls, url: str, *, deployment: str = "main", patience: Patience = "web") -> Self:
        """The store of a deployment at a Redis URL; connects when first used. See `connect_redis` for `patience`."""
        return cls(connect_redis(url, patience=patience, decode=True), deployment=deployment)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def probe(self) -> None:
        """Write something: a Redis that is full, or a read-only replica, answers all the same."""
        with redis_errors():
            self._redis.set(self.keys.probe, "1", ex=PROBE_S)

    def started(self) -> Started:
        """When Redis was started, and which start was noted in it."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.info("server")
            pipe.get(self.keys.start)
            told, noted = pipe.execute()
        return Started(id=str(told["run_id"]), up_s=float(told["uptime_in_seconds"]), noted=str(noted or ""))

    def note_start(self, id_: str) -> None:
        with redis_errors():
            self._redis.set(self.keys.start, id_)

    # Versions that knew no deployments

    def has_old_keys(self) -> bool:
        """See `old_keys.has_old`."""
        return has_old_keys(self._redis)

    def migrate(self) -> Migrated:
        """See `old_keys.take_over`."""
        return migrate(self._redis, self.keys)

    # Projects and changes

    def projects(self) -> list[int]:
        with redis_errors(self.keys.projects):
            found = map(str, self._redis.smembers(self.keys.projects))
        return sorted(int(each) for each in found if each.isdecimal())

    def remember_project(self, *projects: int) -> None:
        """Know these projects from now on.

        Raises:
            TooManyProjects: so many are known that one has no room left.
        """
        for page in pages(projects):
            with redis_errors(self.keys.projects):
                refused = self._redis.eval(REMEMBER, 1, self.keys.projects, PROJECTS_KNOWN, *page)
            if refused:
                raise TooManyProjects(
                    f"project {refused} is not taken in, since {PROJECTS_KNOWN} are known already: 'annotune status'"
                    " lists them; disconnect those that are none, or let a worker forget what Label Studio does not have"
                )

    def knows(self, project: int) -> bool:
        with redis_errors(self.keys.projects):
            return bool(self._redis.sismember(self.keys.projects, str(project)))

    def forget_project(self, project: int) -> None:
        """Know a project no more; models, prompts and runs stay, and answers for `FORGOTTEN_S`, if it comes back."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.srem(self.keys.projects, project)
            pipe.delete(*(self.keys.of(project, name) for name in PASSING))
            pipe.execute()
        self.answer_book.shorten(project, kept_s=FORGOTTEN_S)

    def note_changes(self, *projects: int) -> list[int]:
        """Raise the counters of projects; those that a "changed" job must be queued for, since none waits.

        A single one whose counter is none raises RecordUnreadable; of several it is passed over, and logged.
        """
        self.remember_project(*projects)
        return note_changes(self._redis, self.keys, projects)

    def changes(self, project: int) -> int:
        return self._number(project, "changes")

    def synced(self, project: int) -> int:
        """The counter as it was when the last look began."""
        return self._number(project, "looked")

    def set_synced(self, project: int, changes: int) -> None:
        with redis_errors():
            self._redis.set(self.keys.of(project, "looked"), changes)

    def note_queued(self, project: int) -> bool:
        """True: a "changed" job must be queued, since none waits."""
        with redis_errors():
            key = self.keys.of(project, "queued")
            return bool(self._redis.eval(CLAIM, 1, key, uuid.uuid4().hex, QUEUED_S * 1000))

    def due(self) -> list[Due]:
        """What is due in any project."""
        return due(self._redis, self.keys, self.projects())

    def take_queued(self, project: int) -> None:
        """A "changed" job has begun: the next change needs another."""
        with redis_errors():
            self._redis.delete(self.keys.of(project, "queued"))

    # The live pointer

    def live(self, project: int) -> ModelRef | None:
        return self._value(ModelRef, project, "live")

    def swap_live(self, project: int, expected: ModelRef | None, new: ModelRef) -> bool:
        """Point at `new` if the pointer is still `expected` (None: no pointer yet)."""
        self.remember_project(project)
        was = self._text(project, "live")
        if self._read(ModelRef, was, project, "live") != expected:
            return False
        return self._moved(SWAP, project, was, new.model_dump_json(), PAST_KEPT)

    def swap_back(self, project: int, expected: ModelRef, to: ModelRef | None) -> bool:
        """Take the last swap back, if the pointer is still `expected` and what was before it is still `to`."""
        was, before = self._text(project, "live"), next(iter(self._texts(project, "past", 0, 0)), "")
        refs = [self._read(ModelRef, was, project, "live"), self._read(ModelRef, before, project, "past")]
        return refs == [expected, to] and self._moved(BACK, project, was, before)

    def _moved(self, script: str, project: int, *arguments: str | int) -> bool:
        keys = [self.keys.of(project, name) for name in ("live", "past", f"answered:{uuid.uuid4().hex}")]
        with redis_errors(keys[0]):
            return bool(self._redis.eval(script, len(keys), *keys, REPEATED_S, *arguments))

    def past(self, project: int) -> list[ModelRef]:
        """What was live before, newest first."""
        return self._values(ModelRef, project, "past")

    def serving_state(self, project: int) -> ServingState:
        """What the project is answered with."""
        return ServingState.read(self._redis, self.keys, project)

    # Prompts and answers

    def prompt(self, project: int) -> PromptVersion | None:
        """The prompt that a project uses."""
        return self.prompts.used(project)

    def set_prompt(self, project: int, prompt: ProjectPrompt) -> None:
        """Keep a prompt that was submitted, and use it unless another is pinned."""
        self.prompts.add(project, prompt, over_pin=False)

    def parameters(self, project: int) -> ExtraParams | None:
        return self._value(ExtraParams, project, "parameters")

    def set_parameters(self, project: int, parameters: ExtraParams | None) -> None:
        key = self.keys.of(project, "parameters")
        with redis_errors():
            self._redis.set(key, parameters.model_dump_json()) if parameters else self._redis.delete(key)

    def answers(self, project: int, task: int) -> list[Answer]:
        """Answers given for a task that are known, oldest first."""
        return self.answers_of(project, [task])(task)

    def answers_of(self, project: int, tasks: Iterable[int]) -> Callable[[int], list[Answer]]:
        """`answers` for each of these tasks, read in a few round trips; see `AnswerStore.of_tasks`."""
        given = self.answer_book.of_tasks(project, tasks)
        return lambda task: [answer for answer in given(task) if not answer.lost]

    # Versions and runs

    def next_number(self, project: int) -> int:
        with redis_errors():
            return int(self._redis.incr(self.keys.of(project, "number")))

    def raise_number(self, project: int, number: int) -> None:
        """No version up to `number` is given out again (after a rebuild)."""
        with redis_errors():
            self._redis.eval(RAISE, 1, self.keys.of(project, "number"), number)

    def save_version(self, version: ModelVersion) -> None:
        self.remember_project(version.project)
        with redis_errors():
            self._redis.hset(self.keys.of(version.project, "versions"), str(version.number), version.model_dump_json())

    def versions(self, project: int) -> list[ModelVersion]:
        """All versions, oldest first."""
        key = self.keys.of(project, "versions")
        with redis_errors(key):
            found = self._redis.hgetall(key)
        return sorted(
            (ModelVersion.parse_record(item, in_redis(key)) for item in found.values()), key=lambda v: v.number
        )

    def save_run(self, run: TrainingRun) -> None:
        key, text = self.keys.of(run.project, "runs"), run.model_dump_json(exclude={"contents"})
        with redis_errors(key):
            pipe = self._redis.pipeline()
            pipe.lrem(key, 0, text)  # it may have been kept, and the answer lost
            pipe.lpush(key, text)
            pipe.ltrim(key, 0, RUNS_KEPT - 1)
            pipe.execute()

    def runs(self, project: int) -> list[TrainingRun]:
        """Ended runs, newest first."""
        return self._values(TrainingRun, project, "runs")

    # Training

    def request_training(self, project: int, wanted: TrainingRequest) -> bool:
        """Ask for a training. False: one is wanted or running already."""
        self.remember_project(project)
        with redis_errors():
            return bool(self._redis.eval(CLAIM, 1, self.keys.of(project, "training"), wanted.model_dump_json()))

    def training_request(self, project: int) -> TrainingRequest | None:
        return self._value(TrainingRequest, project, "training")

    def training_ended(self, project: int) -> None:
        with redis_errors():
            self._redis.delete(self.keys.of(project, "training"), self.keys.of(project, "progress"))

    def set_progress(self, project: int, progress: Progress) -> None:
        with redis_errors():
            self._redis.set(self.keys.of(project, "progress"), progress.model_dump_json())

    def progress(self, project: int) -> Progress | None:
        return self._value(Progress, project, "progress")

    def set_tally(self, project: int, tally: SyncSummary) -> None:
        with redis_errors():
            self._redis.set(self.keys.of(project, "tally"), tally.model_dump_json())

    def tally(self, project: int) -> SyncSummary | None:
        return self._value(SyncSummary, project, "tally")

    # Leases

    def take_lease(self, project: int, name: str, token: str, ttl_s: float) -> bool:
        """Take a lease that nobody holds."""
        with redis_errors():
            return bool(self._redis.eval(CLAIM, 1, self.keys.of(project, f"lease:{name}"), token, int(ttl_s * 1000)))

    def renew_lease(self, project: int, name: str, token: str, ttl_s: float) -> bool:
        """Keep a lease that is still ours. False: it is not."""
        with redis_errors():
            return bool(self._redis.eval(RENEW, 1, self.keys.of(project, f"lease:{name}"), token, int(ttl_s * 1000)))

    def release_lease(self, project: int, name: str, token: str) -> None:
        with redis_errors():
            self._redis.eval(RELEASE, 1, self.keys.of(project, f"lease:{name}"), token)

    def lease_holder(self, project: int, name: str) -> str:
        """The token of whoever holds a lease; empty: nobody."""
        with redis_errors():
            return str(self._redis.get(self.keys.of(project, f"lease:{name}")) or "")

    def lease_held(self, project: int, name: str) -> bool:
        return bool(self.lease_holder(project, name))

    # Workers

    def worker_alive(self, ttl_s: float) -> None:
        """Called by each worker now and then."""
        with redis_errors():
            self._redis.set(self.keys.worker, str(time.time()), px=int(ttl_s * 1000))

    def has_worker(self) -> bool:
        with redis_errors():
            return bool(self._redis.exists(self.keys.worker))
