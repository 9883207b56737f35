"""A wheel, installed as any package: not from this folder, and not by a link to it."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from embedded.processes import Service, answers, free_port

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("annotune", "backend", "trainer", "curation", "commands", "prompts")
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
SHIPPED = """
from annotune.prices import Prices
from annotune.recipe import Recipe
from curation.templates import templates
from trainer.engine import SCRIPTS
Prices.load()
print(Recipe.load("small").device, len(templates()), (SCRIPTS / "train.py").is_file())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing of the build is left in this folder."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True, capture_output=True, timeout=120)
    [path] = built.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment that has the wheel alone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    command = ["--python", str(folder / "bin" / "python"), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True, capture_output=True, timeout=120)
    return folder / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A working directory with somebody else's `prompts/`."""
    foreign = tmp_path / "prompts"
    (foreign / "recipes").mkdir(parents=True)
    (foreign / "recipes" / "small.toml").write_text("not ours")
    (foreign / "prices.toml").write_text("not ours")
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """The dependencies come by PYTHONPATH: Python reads no `.pth` there, and so no link to this folder."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": sysconfig.get_path("purelib")}


def test_a_wheel_has_each_module_and_each_text(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(ROOMS)}

    assert packed >= {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".toml", ".xml", ".json", *([".txt"] if room == "prompts" else [])}
        and "__pycache__" not in path.parts
    }


def test_an_installed_command_says_what_it_can_do(
    installed: Path, elsewhere: Path, environment: dict[str, str]
) -> None:
    command = [installed / "annotune", "--help"]
    result = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True)

    assert "serve" in result.stdout


def test_an_installed_package_finds_its_own_texts(
    installed: Path, elsewhere: Path, environment: dict[str, str]
) -> None:
    command = [installed / "python", "-c", SHIPPED]
    result = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True)

    assert result.stdout == f"cpu {len(list((ROOT / 'prompts' / 'projects').iterdir()))} True\n"


def test_an_installed_backend_serves(
    installed: Path, elsewhere: Path, environment: dict[str, str], redis_url: str, tmp_path: Path
) -> None:
    port = free_port()
    env = environment | {"REDIS_URL": redis_url, "RECIPE": "small", "SPOOL_DIR": str(tmp_path / "spool")}
    command = [str(installed / "annotune"), "serve", "--port", str(port)]

    with Service("backend", command, env=env, log=tmp_path / "log", cwd=elsewhere) as service:
        service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)

        assert service.alive
