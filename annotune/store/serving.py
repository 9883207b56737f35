"""What answers a project, read in one round trip, since each prediction needs it.

Reads the keys `mark`, `live`, `prompt`, `parameters`, `options` and `system` (see keys.py).
"""

from dataclasses import dataclass
from typing import Any

from redis import RedisError

from annotune.extra_params import ExtraParams
from annotune.models import ModelRef
from annotune.project_options import ProjectOptions
from annotune.prompt import PromptVersion
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors


@dataclass(frozen=True)
class ServingState:
    """The live model, the prompt in use, the connection's parameters, the project's options and its own system prompt, each
    None if the project has none; and the mark of this Redis, empty if it has none.
    """

    mark: str
    live: ModelRef | None
    prompt: PromptVersion | None
    parameters: ExtraParams | None
    options: ProjectOptions | None
    system: str | None


class ServingStore(Records):
    """The serving state of each project."""

    def read(self, project: int) -> ServingState:
        """Read everything at the same moment.

        Raises:
            StoreUnavailable: Redis does not answer.
            RecordUnreadable: one of the keys holds something else.
        """
        names = ("live", "prompt", "parameters", "options", "system")
        keys = {name: self._keys.of(project, name) for name in names} | {"mark": self._keys.mark}
        with redis_errors():
            pipe = self._redis.pipeline()
            for key in keys.values():
                pipe.get(key)
            replies = pipe.execute(raise_on_error=False)
        found: dict[str, Any] = {}
        for (name, key), reply in zip(keys.items(), replies, strict=True):
            with redis_errors(key):
                if isinstance(reply, RedisError):
                    raise reply
            found[name] = reply
        live, prompt, parameters, options = (found[name] for name in ("live", "prompt", "parameters", "options"))
        return ServingState(
            mark=found["mark"] or "",
            live=ModelRef.parse_record(live, location(keys["live"])) if live else None,
            prompt=PromptVersion.parse_record(prompt, location(keys["prompt"])) if prompt else None,
            parameters=ExtraParams.parse_record(parameters, location(keys["parameters"])) if parameters else None,
            options=ProjectOptions.parse_record(options, location(keys["options"])) if options else None,
            system=found["system"],
        )
