"""Files that are whole or absent, and their digests."""

import hashlib
from pathlib import Path

import pytest

from annotune.files import atomic_write, file_sha256


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    for text in ("first", "second, naïve"):
        atomic_write(path, text)

    assert path.read_text(encoding="utf-8") == "second, naïve"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    atomic_write(path, "old")

    with pytest.raises(UnicodeEncodeError):
        atomic_write(path, "half a letter: \ud83d")

    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "missing" / "manifest.json", "text")

    assert list(tmp_path.iterdir()) == []


def test_a_digest_is_the_files_sha256(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" * 100_000)

    assert file_sha256(path) == hashlib.sha256(b"GGUF" * 100_000).hexdigest()
