"""What an installation of the project holds."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOR_THIS_FOLDER = ("embedded", "benchmarks", "tests")


def test_every_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = [path.parent.relative_to(ROOT) for path in ROOT.glob("[a-z]*/**/__init__.py")]
    packages = {".".join(folder.parts) for folder in folders if folder.parts[0] not in FOR_THIS_FOLDER}

    assert set(project["tool"]["setuptools"]["packages"]) == packages
