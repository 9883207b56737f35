"""The answers that were given, in Redis: by project and task, each prompt's text kept once.

Keys, in a deployment D, for a project P; both expire when nobody has written them for so long as answers are kept:

    annotune:D:P:answers:T   list of answers given for task T, oldest first
    annotune:D:P:asked:ID    the prompt that answers name as `asked`
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from annotune.connection import in_redis, redis_errors
from annotune.example import Answer
from annotune.keys import Keys
from annotune.model import Value

KEPT = 200
PAGE = 500
ID_SHOWN = 16
ENDLESS = -1  # of a TTL
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


class _Asked(Value):
    """A prompt: `Answer.prompt` and `Answer.prompt_sha`."""

    prompt: str
    prompt_sha: str


class _Entry(Value):
    """An answer of a task without what its key and its prompt tell."""

    asked: str
    text: str
    model_version: str
    at: datetime
    typed: bool = False
    cut: bool = False
    lost: bool = False


class AnswerBook:
    """Every method raises StoreUnavailable where Redis does not answer, or keeps nothing new."""

    def __init__(self, client: Any, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def add(self, answers: Iterable[Answer], *, kept_s: int) -> None:
        """Keep answers for `kept_s` seconds; 0: for ever. One that comes twice does no harm."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for answer in answers:
                asked = _Asked(prompt=answer.prompt, prompt_sha=answer.prompt_sha).model_dump_json()
                id_ = hashlib.sha256(asked.encode()).hexdigest()[:ID_SHOWN]
                entry = _Entry(asked=id_, **answer.model_dump(exclude={"project", "task", "prompt", "prompt_sha"}))
                keys = [self._keys.of(answer.project, name) for name in (f"answers:{answer.task}", f"asked:{id_}")]
                pipe.eval(_ADD, len(keys), *keys, entry.model_dump_json(exclude_defaults=True), asked, kept_s, KEPT)
            pipe.execute()

    def given(self, project: int, task: int) -> list[Answer]:
        """Answers given for a task, oldest first; one whose prompt is gone is left out.

        Raises:
            RecordUnreadable: what is kept there is none.
        """
        key, prefix = (self._keys.of(project, name) for name in (f"answers:{task}", "asked:"))
        with redis_errors(key):
            entries, named = self._redis.eval(_READ, 2, key, prefix)
        prompts = {
            id_: _Asked.recall(text, in_redis(prefix)) for id_, text in zip(named[::2], named[1::2], strict=True)
        }
        return [
            answer for text in entries if (answer := _answer(project, task, text, prompts, in_redis(key))) is not None
        ]

    def forget(self, project: int) -> int:
        """Delete all answers of a project, and its prompts that only they need; how many tasks had some."""
        tasks = self._delete(project, "answers")
        self._delete(project, "asked")
        return tasks

    def expire(self, project: int, *, kept_s: int) -> None:
        """Let expire what has no end yet, as older versions kept it."""
        with redis_errors():
            for page in self._pages(project, "answers"):
                asked, set_ = (self._redis.pipeline(transaction=False) for _ in range(2))
                for key in page:
                    asked.ttl(key)
                for key, left_s in zip(page, asked.execute(), strict=True):
                    if left_s == ENDLESS:
                        set_.expire(key, kept_s)
                set_.execute()

    def _delete(self, project: int, kind: str) -> int:
        with redis_errors():
            return sum(int(self._redis.unlink(*page)) for page in self._pages(project, kind))

    def _pages(self, project: int, kind: str) -> Iterable[list[str]]:
        cursor = None
        while cursor != 0:
            cursor, page = self._redis.scan(cursor or 0, match=self._keys.of(project, f"{kind}:*"), count=PAGE)
            if page:
                yield page


def _answer(project: int, task: int, text: str, prompts: dict[str, _Asked], where: str) -> Answer | None:
    """From an entry, or from a whole answer, as versions before 0.3 kept it."""
    if not text.startswith('{"asked":'):
        return Answer.recall(text, where)
    entry = _Entry.recall(text, where)
    asked = prompts.get(entry.asked)
    if asked is None:
        return None
    return Answer(project=project, task=task, **asked.model_dump(), **entry.model_dump(exclude={"asked"}))
