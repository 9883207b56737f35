"""The extra parameters of each project's connection in Label Studio. Key of a project (see keys.py): `parameters`."""

from annotune.extra_params import ExtraParams
from annotune.store.records import Records
from annotune.store.redis import redis_errors


class ExtraParamsStore(Records):
    """Every method raises StoreUnavailable where Redis does not answer; `get` raises RecordUnreadable where it holds
    something else.
    """

    def get(self, project: int) -> ExtraParams | None:
        return self._value(ExtraParams, project, "parameters")

    def set(self, project: int, params: ExtraParams | None) -> None:
        """Keep the parameters; None deletes them."""
        if params:
            self._set_value(params, project, "parameters")
        else:
            with redis_errors():
                self._redis.delete(self._keys.of(project, "parameters"))
