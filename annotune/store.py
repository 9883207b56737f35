"""What is kept in Redis: live pointers, prompts, answers, versions, and what is to be done.

All values are JSON. Keys, for a project P:

    annotune:projects                 set of project ids that were seen
    annotune:P:changes                counter, raised by each change that Label Studio tells of
    annotune:P:looked                 the counter as it was at the last look at Label Studio
    annotune:P:queued                 set while a "changed" job waits in the queue
    annotune:P:live, annotune:P:past  the live model; the list of those before it, newest first
    annotune:P:prompt                 the project's prompt
    annotune:P:answers:T              list of answers given for task T, oldest first
    annotune:P:versions               hash number -> ModelVersion
    annotune:P:number                 the last version number given out
    annotune:P:dataset                set of annotation ids that the last dataset held
    annotune:P:tally                  what the last look at Label Studio counted
    annotune:P:training               the training that is wanted or running
    annotune:P:progress               how far it is
    annotune:P:lease:NAME             token of whoever holds a lease; expires
    annotune:P:runs                   list of ended runs, newest first
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, Self

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from annotune.errors import ConfigurationError, StoreUnavailable
from annotune.example import Answer, ProjectPrompt, PromptVersion
from annotune.model import ModelRef, ModelVersion, Progress, Tally, TrainingRun, TrainingWanted
from annotune.parameters import Parameters
from annotune.prompt_book import PromptBook

ANSWERS_KEPT = 200
PAST_KEPT = 20
RUNS_KEPT = 100
QUEUED_S = 60


# Moves the pointer only if it is still what the caller last saw; '' stands for none.
_SWAP = """
local now = redis.call('GET', KEYS[1]) or ''
if now ~= ARGV[1] then return 0 end
if now ~= '' then
  redis.call('LPUSH', KEYS[2], now)
  redis.call('LTRIM', KEYS[2], 0, ARGV[3] - 1)
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
# The same, back to the newest before it; without one the pointer goes, and the environment's model answers.
_BACK = """
local now = redis.call('GET', KEYS[1]) or ''
local last = redis.call('LINDEX', KEYS[2], 0) or ''
if now ~= ARGV[1] or last ~= ARGV[2] then return 0 end
if last == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], last)
  redis.call('LPOP', KEYS[2])
end
return 1
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RAISE = "if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end"
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Store:
    """Redis, in our words. Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self.prompts = PromptBook(client, self._mapped, _key)

    @classmethod
    def connect(cls, url: str, *, patience: Literal["web", "job"] = "web") -> Self:
        """A store at a Redis URL; connects when first used.

        `web` gives up within half a second, so that a webhook is answered; `job` waits out a restart of Redis (about two
        minutes), so that a training's end is not lost.
        """
        return cls(connect_redis(url, patience=patience, decode=True))

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise StoreUnavailable("Redis is not reachable: start it, or mend REDIS_URL") from error

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def ping(self) -> None:
        with self._mapped():
            self._redis.ping()

    # Projects and changes

    def projects(self) -> list[int]:
        with self._mapped():
            return sorted(int(project) for project in self._redis.smembers("annotune:projects"))

    def remember_project(self, project: int) -> None:
        with self._mapped():
            self._redis.sadd("annotune:projects", project)

    def forget_project(self, project: int) -> None:
        with self._mapped():
            self._redis.srem("annotune:projects", project)

    def note_change(self, project: int) -> bool:
        """Raise the project's counter. True: a "changed" job must be queued, since none waits."""
        with self._mapped():
            pipe = self._redis.pipeline()
            pipe.sadd("annotune:projects", project)
            pipe.incr(_key(project, "changes"))
            pipe.set(_key(project, "queued"), "1", nx=True, ex=QUEUED_S)
            return bool(pipe.execute()[2])

    def changes(self, project: int) -> int:
        with self._mapped():
            return int(self._redis.get(_key(project, "changes")) or 0)

    def looked(self, project: int) -> int:
        """The counter as it was when the last look began."""
        with self._mapped():
            return int(self._redis.get(_key(project, "looked")) or 0)

    def set_looked(self, project: int, changes: int) -> None:
        with self._mapped():
            self._redis.set(_key(project, "looked"), changes)

    def take_queued(self, project: int) -> None:
        """A "changed" job has begun: the next change needs another."""
        with self._mapped():
            self._redis.delete(_key(project, "queued"))

    # The live pointer

    def live(self, project: int) -> ModelRef | None:
        with self._mapped():
            found = self._redis.get(_key(project, "live"))
        return ModelRef.model_validate_json(found) if found else None

    def swap_live(self, project: int, expected: ModelRef | None, new: ModelRef) -> bool:
        """Point at `new` if the pointer is still `expected` (None: no pointer yet)."""
        keys = [_key(project, "live"), _key(project, "past")]
        was = expected.model_dump_json() if expected else ""
        with self._mapped():
            self._redis.sadd("annotune:projects", project)
            return bool(self._redis.eval(_SWAP, len(keys), *keys, was, new.model_dump_json(), PAST_KEPT))

    def swap_back(self, project: int, expected: ModelRef, to: ModelRef | None) -> bool:
        """Take the last swap back, if the pointer is still `expected` and what was before it is still `to`."""
        keys = [_key(project, "live"), _key(project, "past")]
        before = to.model_dump_json() if to else ""
        with self._mapped():
            return bool(self._redis.eval(_BACK, len(keys), *keys, expected.model_dump_json(), before))

    def past(self, project: int) -> list[ModelRef]:
        """What was live before, newest first."""
        with self._mapped():
            return [ModelRef.model_validate_json(item) for item in self._redis.lrange(_key(project, "past"), 0, -1)]

    # Prompts and answers

    def prompt(self, project: int) -> PromptVersion | None:
        """The prompt that a project uses."""
        return self.prompts.used(project)

    def set_prompt(self, project: int, prompt: ProjectPrompt) -> None:
        """Keep a prompt that was submitted, and use it unless another is pinned."""
        self.prompts.add(project, prompt, over_pin=False)

    def parameters(self, project: int) -> Parameters | None:
        with self._mapped():
            found = self._redis.get(_key(project, "parameters"))
        return Parameters.model_validate_json(found) if found else None

    def set_parameters(self, project: int, parameters: Parameters | None) -> None:
        key = _key(project, "parameters")
        with self._mapped():
            self._redis.set(key, parameters.model_dump_json()) if parameters else self._redis.delete(key)

    def log_answers(self, answers: Iterable[Answer]) -> None:
        with self._mapped():
            pipe = self._redis.pipeline(transaction=False)
            for answer in answers:
                key = _key(answer.project, f"answers:{answer.task}")
                pipe.rpush(key, answer.model_dump_json())
                pipe.ltrim(key, -ANSWERS_KEPT, -1)
            pipe.execute()

    def answers(self, project: int, task: int) -> list[Answer]:
        """Answers given for a task, oldest first."""
        with self._mapped():
            found = self._redis.lrange(_key(project, f"answers:{task}"), 0, -1)
        return [Answer.model_validate_json(item) for item in found]

    # Versions and runs

    def next_number(self, project: int) -> int:
        with self._mapped():
            return int(self._redis.incr(_key(project, "number")))

    def raise_number(self, project: int, number: int) -> None:
        """No version up to `number` is given out again (after a rebuild)."""
        with self._mapped():
            self._redis.eval(_RAISE, 1, _key(project, "number"), number)

    def save_version(self, version: ModelVersion) -> None:
        with self._mapped():
            self._redis.sadd("annotune:projects", version.project)
            self._redis.hset(_key(version.project, "versions"), str(version.number), version.model_dump_json())

    def versions(self, project: int) -> list[ModelVersion]:
        """All versions, oldest first."""
        with self._mapped():
            found = self._redis.hgetall(_key(project, "versions"))
        return sorted((ModelVersion.model_validate_json(item) for item in found.values()), key=lambda v: v.number)

    def save_run(self, run: TrainingRun) -> None:
        with self._mapped():
            pipe = self._redis.pipeline()
            pipe.lpush(_key(run.project, "runs"), run.model_dump_json())
            pipe.ltrim(_key(run.project, "runs"), 0, RUNS_KEPT - 1)
            pipe.execute()

    def runs(self, project: int) -> list[TrainingRun]:
        """Ended runs, newest first."""
        with self._mapped():
            found = self._redis.lrange(_key(project, "runs"), 0, -1)
        return [TrainingRun.model_validate_json(item) for item in found]

    # Training

    def want_training(self, project: int, wanted: TrainingWanted) -> bool:
        """Ask for a training. False: one is wanted or running already."""
        with self._mapped():
            self._redis.sadd("annotune:projects", project)
            return bool(self._redis.set(_key(project, "training"), wanted.model_dump_json(), nx=True))

    def training_wanted(self, project: int) -> TrainingWanted | None:
        with self._mapped():
            found = self._redis.get(_key(project, "training"))
        return TrainingWanted.model_validate_json(found) if found else None

    def training_ended(self, project: int) -> None:
        with self._mapped():
            self._redis.delete(_key(project, "training"), _key(project, "progress"))

    def set_progress(self, project: int, progress: Progress) -> None:
        with self._mapped():
            self._redis.set(_key(project, "progress"), progress.model_dump_json())

    def progress(self, project: int) -> Progress | None:
        with self._mapped():
            found = self._redis.get(_key(project, "progress"))
        return Progress.model_validate_json(found) if found else None

    def set_dataset(self, project: int, annotations: Iterable[int]) -> None:
        """Remember which annotations the last dataset held."""
        ids = [str(annotation) for annotation in annotations]
        with self._mapped():
            pipe = self._redis.pipeline()
            pipe.delete(_key(project, "dataset"))
            if ids:
                pipe.sadd(_key(project, "dataset"), *ids)
            pipe.execute()

    def dataset(self, project: int) -> frozenset[int]:
        with self._mapped():
            return frozenset(int(item) for item in self._redis.smembers(_key(project, "dataset")))

    def set_tally(self, project: int, tally: Tally) -> None:
        with self._mapped():
            self._redis.set(_key(project, "tally"), tally.model_dump_json())

    def tally(self, project: int) -> Tally | None:
        with self._mapped():
            found = self._redis.get(_key(project, "tally"))
        return Tally.model_validate_json(found) if found else None

    # Leases

    def take_lease(self, project: int, name: str, token: str, ttl_s: float) -> bool:
        """Take a lease that nobody holds."""
        with self._mapped():
            key = _key(project, f"lease:{name}")
            return bool(self._redis.set(key, token, nx=True, px=int(ttl_s * 1000)))

    def renew_lease(self, project: int, name: str, token: str, ttl_s: float) -> bool:
        """Keep a lease that is still ours. False: it is not."""
        with self._mapped():
            return bool(self._redis.eval(_RENEW, 1, _key(project, f"lease:{name}"), token, int(ttl_s * 1000)))

    def release_lease(self, project: int, name: str, token: str) -> None:
        with self._mapped():
            self._redis.eval(_RELEASE, 1, _key(project, f"lease:{name}"), token)

    def lease_held(self, project: int, name: str) -> bool:
        with self._mapped():
            return bool(self._redis.exists(_key(project, f"lease:{name}")))

    # Workers

    def worker_alive(self, ttl_s: float) -> None:
        """Called by each worker now and then."""
        with self._mapped():
            self._redis.set("annotune:worker", str(time.time()), px=int(ttl_s * 1000))

    def has_worker(self) -> bool:
        with self._mapped():
            return bool(self._redis.exists("annotune:worker"))


def connect_redis(url: str, *, patience: Literal["web", "job"], decode: bool) -> redis.Redis:
    """A client that connects when first used; `decode` off is what RQ needs.

    Raises:
        ConfigurationError: the URL is none of Redis.
    """
    if patience == "web":
        retry, timeout_s = Retry(NoBackoff(), 1), 0.15
    else:
        retry, timeout_s = Retry(ExponentialBackoff(cap=5, base=0.2), 30), 5.0
    try:
        return redis.Redis.from_url(
            url,
            decode_responses=decode,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=retry,
            retry_on_error=[redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError],
        )
    except ValueError:
        raise ConfigurationError("the setting REDIS_URL is wrong: write one like 'redis://localhost:6379/0'") from None


def _key(project: int, name: str) -> str:
    return f"annotune:{project}:{name}"
