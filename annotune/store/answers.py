"""The answers that the backend gave, by project and task. The text of each prompt is kept once.

Keys of a project (see keys.py): `answers:T`, `asked:ID`. Both expire after the retention, counted from the last write.
Key of the deployment: `answers-kept`.
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
# Keys: answers, prompt. Arguments: answer, prompt, retention in seconds (0: for ever), most answers of a task.
_ADD = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[4]), -1)
redis.call('SET', KEYS[2], ARGV[2])
for _, key in ipairs(KEYS) do
  if ARGV[3] == '0' then redis.call('PERSIST', key) else redis.call('EXPIRE', key, ARGV[3]) end
end
"""
# Keys: answers, prefix of the prompts. Returns the answers, and each id and prompt that they name, in turn.
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
# Any keys. Argument: seconds (0: for ever). A key that would expire later, or never, expires then.
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
    """An answer without the fields that its key and its prompt hold."""

    asked: str
    text: str
    model_version: str
    at: datetime
    typed: bool = False
    place: str = ""
    cut: bool = False
    lost: bool = False


class AnswerStore(Records):
    """The given answers. Every method raises StoreUnavailable where Redis does not answer, or keeps nothing new."""

    def add(self, answers: Iterable[Answer], *, kept_s: int) -> None:
        """Keep answers for `kept_s` seconds; 0 is for ever. Adding one twice does no harm."""
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
        """Answers given for a task, oldest first. An answer whose prompt is gone is left out.

        Raises:
            RecordUnreadable: the key holds something else.
        """
        return self.by_task(project, [task])(task)

    def known(self, project: int, task: int) -> list[Answer]:
        """`all` without those that were lost. Raises RecordUnreadable."""
        return [answer for answer in self.all(project, task) if not answer.lost]

    def by_task(self, project: int, tasks: Iterable[int]) -> Callable[[int], list[Answer]]:
        """`all` for each of these tasks, read in a few round trips.

        The function raises RecordUnreadable for a task whose answers are unreadable; a task that was not named has none.
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

        def of_task(task: int) -> list[Answer]:
            key = self._answers(project, task)
            with redis_errors(key):
                reply = found.get(task, ([], []))
                if isinstance(reply, Exception):
                    raise reply
            return _answers(project, task, reply, location(key), location(prefix))

        return of_task

    def forget(self, project: int) -> int:
        """Delete all answers of a project and their prompts. Returns the number of tasks that had answers."""
        tasks = 0
        with redis_errors():
            for kind in ("answers", "asked"):
                for page in self._pages(str(project), kind):
                    gone = self._redis.unlink(*page)
                    tasks += int(gone) if kind == "answers" else 0
        return tasks

    def shorten(self, project: int, *, kept_s: int) -> None:
        """Let the present answers of a project expire after at most `kept_s` seconds. New ones are kept as ever."""
        self._shorten(str(project), kept_s)

    def apply_retention(self, *, kept_s: int) -> None:
        """Apply a changed retention to the present answers, those of old versions without an expiry included.

        A shorter retention shortens theirs. A longer one holds for new answers only; 0 keeps all of them for ever.
        """
        key = self._keys.answers_kept
        with redis_errors(key):
            if self._redis.get(key) == str(kept_s):
                return
        self._shorten(ANY, kept_s)
        with redis_errors(key):
            self._redis.set(key, kept_s)

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
    """From the reply of `_READ`."""
    entries, named = reply
    prompts = {id_: _Asked.parse_record(text, prompts_where) for id_, text in zip(named[::2], named[1::2], strict=True)}
    found = [_answer(project, task, text, prompts, where) for text in entries]
    return [answer for answer in found if answer is not None]


def _answer(project: int, task: int, text: str, prompts: dict[str, _Asked], where: str) -> Answer | None:
    """From an entry, or from a whole `Answer`, which versions before 0.3 kept."""
    if not text.startswith('{"asked":'):
        return Answer.parse_record(text, where)
    entry = _Entry.parse_record(text, where)
    asked = prompts.get(entry.asked)
    if asked is None:
        return None
    return Answer(project=project, task=task, **asked.model_dump(), **entry.model_dump(exclude={"asked"}))
