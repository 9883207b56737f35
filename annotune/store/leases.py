"""Leases: one process at a time does something for a project, and an expiry frees what a dead one held.

Key of a project (see keys.py): `lease:NAME`.
"""

from annotune.store.records import Records
from annotune.store.redis import redis_errors
from annotune.store.scripts import CLAIM, RELEASE, RENEW


class LeaseStore(Records):
    """Leases by name. Every method raises StoreUnavailable where Redis does not answer."""

    def take(self, project: int, name: str, token: str, ttl_s: float) -> bool:
        """Take a lease for `ttl_s` seconds, if nobody else holds it."""
        with redis_errors():
            return bool(self._redis.eval(CLAIM, 1, self._key(project, name), token, int(ttl_s * 1000)))

    def renew(self, project: int, name: str, token: str, ttl_s: float) -> bool:
        """Hold a lease for another `ttl_s` seconds. False: this token does not hold it."""
        with redis_errors():
            return bool(self._redis.eval(RENEW, 1, self._key(project, name), token, int(ttl_s * 1000)))

    def release(self, project: int, name: str, token: str) -> None:
        """Free a lease, if this token still holds it."""
        with redis_errors():
            self._redis.eval(RELEASE, 1, self._key(project, name), token)

    def holder(self, project: int, name: str) -> str:
        """The token that holds a lease; empty where none does."""
        with redis_errors():
            return str(self._redis.get(self._key(project, name)) or "")

    def held(self, project: int, name: str) -> bool:
        return bool(self.holder(project, name))

    def left_s(self, project: int, name: str) -> float | None:
        """Seconds until a lease expires if it is not renewed; None where nobody holds it."""
        with redis_errors():
            left = int(self._redis.pttl(self._key(project, name)))
        return left / 1000 if left >= 0 else None

    def _key(self, project: int, name: str) -> str:
        return self._keys.of(project, f"lease:{name}")
