"""The lock files: each package has one version and its hashes, so that pip refuses what differs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = (
    *(
        "requirements.txt",
        "requirements-dev.txt",
        "backend/mlbase.txt",
        "embedded/label-studio.txt",
        "embedded/model.txt",
    ),
    *(f"trainer/requirements{name}.txt" for name in ("", "-cpu", "-prepare", "-convert")),
)
PACKAGE = re.compile(r"[\w.-]+==\S+( ; .+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_of_a_lock_has_one_version_and_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    packages = [" ".join(word for word in words if not word.startswith("--hash")) for words in lines]
    hashes = [[word for word in words if word.startswith("--hash")] for words in lines]

    assert [package for package in packages if not PACKAGE.fullmatch(package)] == []
    assert [package for package, found in zip(packages, hashes, strict=True) if not found] == []
    assert all(HASH.fullmatch(word) for found in hashes for word in found)


def test_no_other_file_is_installed_from() -> None:
    written = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*.txt")} | {
        path.name for path in ROOT.glob("*.txt")
    }

    assert written == set(LOCKS)
