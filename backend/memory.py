"""Memory that a large request took, given back to the system."""

import ctypes

LARGE_BODY = 1_000_000  # bytes of a body


def release_memory() -> None:
    """Let glibc hand back what it keeps of freed memory; elsewhere nothing is done.

    After one body of 60 MB it kept over 1 GB for good.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
