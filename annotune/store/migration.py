"""Keys of versions that knew no deployments: `annotune:<project>:<name>` and `annotune:projects`.

The deployment `main` takes them over.
"""

import re
from dataclasses import dataclass

from redis import Redis

from annotune.store.keys import PREFIX, Keys
from annotune.store.redis import redis_errors

OLD_PROJECTS = f"{PREFIX}:projects"
OLD_QUEUES = {"changes": f"{PREFIX}-changes", "training": f"{PREFIX}-training"}
TARGET_DEPLOYMENT = "main"
PAGE = 500
# All names that they used, and no other: the keys of a deployment called `4` have the same form.
_OLD = re.compile(
    rf"{PREFIX}:([0-9]+):(changes|looked|queued|live|past|prompt|prompts|prompt-number|pin|system|parameters|versions|number"
    r"|dataset|tally|training|progress|runs|answers:[0-9]+|lease:[a-z]+)"
)
# Keys: old, new. Argument: 'oldest first' for such a list. If both keys exist, sets are united, and the items of an old list
# are put before those of the new one; any other pair stays as it is.
_MOVE = """
local old, new = KEYS[1], KEYS[2]
if redis.call('EXISTS', old) == 0 then return 'gone' end
if redis.call('RENAMENX', old, new) == 1 then return 'moved' end
local kind = redis.call('TYPE', old).ok
if kind ~= redis.call('TYPE', new).ok then return 'kept' end
if kind == 'set' then
  redis.call('SUNIONSTORE', new, new, old)
elseif kind == 'list' and ARGV[1] == 'oldest first' then
  local items = redis.call('LRANGE', old, 0, -1)
  for index = #items, 1, -1 do redis.call('LPUSH', new, items[index]) end
else
  return 'kept'
end
redis.call('DEL', old)
return 'moved'
"""


@dataclass(frozen=True)
class Migrated:
    """How many keys were renamed, and which old ones stay because a new one exists."""

    moved: int
    kept: tuple[str, ...]


def migrated_name(old: str, keys: Keys) -> str | None:
    """The name of an old key in a deployment; None if it is no old key."""
    if old == OLD_PROJECTS:
        return keys.projects
    match = _OLD.fullmatch(old)
    return keys.of(int(match[1]), match[2]) if match else None


def has_old_keys(client: Redis) -> bool:
    """Whether this Redis holds the projects of a version that knew no deployments.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    with redis_errors():
        return bool(client.exists(OLD_PROJECTS))


def migrate(client: Redis, keys: Keys) -> Migrated:
    """Rename all old keys to those of a deployment. Each is renamed in one step, so an interrupted run can be run again.

    `client` decodes its replies.

    Raises:
        StoreUnavailable: Redis does not answer; the keys that were renamed by then stay renamed.
    """
    moved, kept = 0, []
    with redis_errors():
        cursor = None
        while cursor != 0:
            cursor, page = client.scan(cursor or 0, match=f"{PREFIX}:[0-9p]*", count=PAGE)
            names = {old: new for old in map(str, page) if (new := migrated_name(old, keys))}
            pipe = client.pipeline(transaction=False)
            for old, new in names.items():
                pipe.eval(_MOVE, 2, old, new, "oldest first" if ":answers:" in old else "")
            for old, became in zip(names, pipe.execute(), strict=True):
                moved += became == "moved"
                kept += [old] if became == "kept" else []
    return Migrated(moved, tuple(sorted(kept)))
