"""Memory that a large request took, released to the operating system."""

import ctypes

LARGE_BODY = 1_000_000  # bytes


def release_memory() -> None:
    """Make glibc return freed memory to the system. With another C library nothing happens.

    Without this, glibc kept over 1 GB for good after one body of 60 MB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
