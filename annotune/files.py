"""Text files that are whole or absent, and the SHA-256 of a file."""

import hashlib
import os
from pathlib import Path


def atomic_write(path: Path, text: str) -> None:
    """Write a text file. A reader sees the old file or the new one, never half of one.

    The text goes into a file beside `path` first, which is then renamed. Its name holds the process's id: two processes
    may write the same file. Nothing is synced to the disk: a power cut may lose the last seconds.

    Raises:
        OSError: `path` is as it was before.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
