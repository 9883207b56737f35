"""What a project is answered with, read at once: it is asked for with each prediction."""

from dataclasses import dataclass
from typing import Any

from redis import RedisError

from annotune.extra_params import ExtraParams
from annotune.models import ModelRef
from annotune.prompt import PromptVersion
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors


@dataclass(frozen=True)
class ServingState:
    """The live pointer, the prompt in use, the connection's parameters and the project's system prompt, each None where
    there is none; and the mark of this Redis, empty where it has none.
    """

    mark: str
    live: ModelRef | None
    prompt: PromptVersion | None
    parameters: ExtraParams | None
    system: str | None


class ServingStore(Records):
    """What answers each project."""

    def read(self, project: int) -> ServingState:
        """Raises StoreUnavailable where Redis does not answer, RecordUnreadable where one of them is no such record."""
        names = ("live", "prompt", "parameters", "system")
        wanted = {name: self._keys.of(project, name) for name in names} | {"mark": self._keys.mark}
        with redis_errors():
            pipe = self._redis.pipeline()
            for key in wanted.values():
                pipe.get(key)
            replies = pipe.execute(raise_on_error=False)
        found: dict[str, Any] = {}
        for (name, key), reply in zip(wanted.items(), replies, strict=True):
            with redis_errors(key):
                if isinstance(reply, RedisError):
                    raise reply
            found[name] = reply
        live, prompt, parameters = (found[name] for name in ("live", "prompt", "parameters"))
        return ServingState(
            mark=found["mark"] or "",
            live=ModelRef.parse_record(live, location(wanted["live"])) if live else None,
            prompt=PromptVersion.parse_record(prompt, location(wanted["prompt"])) if prompt else None,
            parameters=ExtraParams.parse_record(parameters, location(wanted["parameters"])) if parameters else None,
            system=found["system"],
        )
