"""The answers that were given, in Redis: by project and task, each prompt's text kept once.

Keys, in a deployment D, for a project P; both expire when nobody has written them for so long as answers are kept:

    annotune:D:P:answers:T   list of answers given for task T, oldest first
    annotune:D:P:asked:ID    the prompt that answers name as `asked`
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from annotune.answer import Answer
from annotune.store.records import Records, pages
from annotune.store.redis import location, redis_errors
from annotune.values import FrozenModel

MAX_ANSWERS = 200
PAGE = 500
ID_LENGTH = 16
ANY = "*"
# Of keys (answers, prompt) and (answer, prompt, seconds that they are kept (0: for ever), most answers of a task).
_ADD = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[4]), -1)
redis.call('SET', KEYS[2], ARGV[2])
for _, key in ipairs(KEYS) do
  if ARGV[3] == '0' then redis.call('PERSIST', key) else redis.call('EXPIRE', key, ARGV[3]) end
end
"""
# Of keys (answers, the prompts' prefix): the answers, and the prompts that they name, in turn.
_READ = """
local answers, prompts, seen = redis.call('LRANGE', KEYS[1], 0, -1), {}, {}
for _, answer in ipairs(answers) do
  local id = string.match(answer, '^{"asked":"(%x+)"')
  if id and not seen[id] then
    seen[id] = true
    local prompt = redis.call('GET', KEYS[2] .. id)
    if prompt then
      prompts[#prompts + 1] = id
      prompts[#prompts + 1] = prompt
    end
  end
end
return {answers, prompts}
"""
# Of keys, and seconds (0: for ever): what would end later, or never, ends then.
_SHORTEN = """
local seconds = tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  local left = redis.call('TTL', key)
  if seconds == 0 then
    redis.call('PERSIST', key)
  elseif left == -1 or left > seconds then
    redis.call('EXPIRE', key, seconds)
  end
end
"""


class _Asked(FrozenModel):
    """A prompt: `Answer.prompt` and `Answer.prompt_sha`."""

    prompt: str
    prompt_sha: str


class _Entry(FrozenModel):
    """An answer of a task without what its key and its prompt tell."""

    asked: str
    text: str
    model_version: str
    at: datetime
    typed: bool = False
    place: str = ""
    cut: bool = False
    lost: bool = False


class AnswerStore(Records):
    """Every method raises StoreUnavailable where Redis does not answer, or keeps nothing new."""

    def add(self, answers: Iterable[Answer], *, kept_s: int) -> None:
        """Keep answers for `kept_s` seconds; 0: for ever. One that comes twice does no harm."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for answer in answers:
                asked = _Asked(prompt=answer.prompt, prompt_sha=answer.prompt_sha).model_dump_json()
                id_ = hashlib.sha256(asked.encode()).hexdigest()[:ID_LENGTH]
                entry = _Entry(asked=id_, **answer.model_dump(exclude={"project", "task", "prompt", "prompt_sha"}))
                keys = [self._keys.of(answer.project, name) for name in (f"answers:{answer.task}", f"asked:{id_}")]
                pipe.eval(
                    _ADD, len(keys), *keys, entry.model_dump_json(exclude_defaults=True), asked, kept_s, MAX_ANSWERS
                )
            pipe.execute()

    def all(self, project: int, task: int) -> list[Answer]:
        """Answers given for a task, oldest first; one whose prompt is gone is left out.

        Raises:
            RecordUnreadable: what is kept there is none.
        """
        return self._by_task(project, [task])(task)

    def known(self, project: int, task: int) -> list[Answer]:
        """`all` without those that were lost. Raises RecordUnreadable."""
        return self.known_by_task(project, [task])(task)

    def known_by_task(self, project: int, tasks: Iterable[int]) -> Callable[[int], list[Answer]]:
        """`known` for each of these tasks, read in a few round trips.

        The function raises RecordUnreadable for a task whose answers are unreadable; a task that was not named has none.
        """
        found = self._by_task(project, tasks)
        return lambda task: [answer for answer in found(task) if not answer.lost]

    def _by_task(self, project: int, tasks: Iterable[int]) -> Callable[[int], list[Answer]]:
        """`all` for each of these tasks, read in a few round trips.

        What is unreadable is raised for its own task alone, when that is asked for; a task that was not named has none.
        """
        prefix = self._keys.of(project, "asked:")
        found: dict[int, Any] = {}
        for page in pages(tasks, PAGE):
            with redis_errors(prefix):
                pipe = self._redis.pipeline(transaction=False)
                for task in page:
                    pipe.eval(_READ, 2, self._answers(project, task), prefix)
                replies = pipe.execute(raise_on_error=False)
                for reply in replies:
                    if isinstance(reply, Exception) and "WRONGTYPE" not in str(reply):
                        raise reply
            found.update(zip(page, replies, strict=True))

        def given(task: int) -> list[Answer]:
            key = self._answers(project, task)
            with redis_errors(key):
                reply = found.get(task, ([], []))
                if isinstance(reply, Exception):
                    raise reply
            return _answers(project, task, reply, location(key), location(prefix))

        return given

    def forget(self, project: int) -> int:
        """Delete all answers of a project, and their prompts; how many tasks had some."""
        tasks = 0
        with redis_errors():
            for kind in ("answers", "asked"):
                for page in self._pages(str(project), kind):
                    gone = self._redis.unlink(*page)
                    tasks += int(gone) if kind == "answers" else 0
        return tasks

    def shorten(self, project: int, *, kept_s: int) -> None:
        """Let all answers of a project end after so many seconds, if not sooner anyway; new ones are kept as ever."""
        self._shorten(str(project), kept_s)

    def apply_retention(self, *, kept_s: int) -> None:
        """Let a changed setting hold for what is kept already, as also what older versions kept without an end.

        A shorter time ends what is there sooner; a longer one is for new answers; without an end nothing of it ends.
        """
        mark = self._keys.answers_kept
        with redis_errors(mark):
            if self._redis.get(mark) == str(kept_s):
                return
        self._shorten(ANY, kept_s)
        with redis_errors(mark):
            self._redis.set(mark, kept_s)

    def _shorten(self, project: str, kept_s: int) -> None:
        with redis_errors():
            for kind in ("answers", "asked"):
                for page in self._pages(project, kind):
                    self._redis.eval(_SHORTEN, len(page), *page, kept_s)

    def _answers(self, project: int, task: int) -> str:
        return self._keys.of(project, f"answers:{task}")

    def _pages(self, project: str, kind: str) -> Iterator[list[str]]:
        cursor = None
        while cursor != 0:
            cursor, page = self._redis.scan(cursor or 0, match=self._keys.of(project, f"{kind}:*"), count=PAGE)
            if page:
                yield page


def _answers(project: int, task: int, reply: Any, where: str, prompts_where: str) -> list[Answer]:
    """What `_READ` gave."""
    entries, named = reply
    prompts = {id_: _Asked.parse_record(text, prompts_where) for id_, text in zip(named[::2], named[1::2], strict=True)}
    found = [_answer(project, task, text, prompts, where) for text in entries]
    return [answer for answer in found if answer is not None]


def _answer(project: int, task: int, text: str, prompts: dict[str, _Asked], where: str) -> Answer | None:
    """From an entry, or from a whole answer, as versions before 0.3 kept it."""
    if not text.startswith('{"asked":'):
        return Answer.parse_record(text, where)
    entry = _Entry.parse_record(text, where)
    asked = prompts.get(entry.asked)
    if asked is None:
        return None
    return Answer(project=project, task=task, **asked.model_dump(), **entry.model_dump(exclude={"asked"}))
