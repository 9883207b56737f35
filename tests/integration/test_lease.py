"""A lease in a real Redis."""

import threading
from collections.abc import Callable
from typing import Any

from annotune.lease import LeaseTiming, lease
from annotune.store.store import Store

PROJECT = 4
SHORT = LeaseTiming(ttl_s=0.5, renew_s=0.1)


def test_a_lease_is_kept_longer_than_it_lives(store: Store) -> None:
    pause = threading.Event()
    with lease(store, PROJECT, "x", SHORT) as held:
        pause.wait(3 * SHORT.ttl_s)

        assert store.leases.held(PROJECT, "x")
        assert not held.lost()


def test_a_lease_that_expired_is_taken_again(store: Store, eventually: Callable[..., Any]) -> None:
    with lease(store, PROJECT, "x", SHORT) as held:
        store._redis.delete(store.keys.of(PROJECT, "lease:x"))

        eventually(lambda: store.leases.held(PROJECT, "x"))
        assert not held.lost()
