"""The room as a library: what importing it loads, and that it leaves the terminal to the commands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def loaded_by(module: str) -> set[str]:
    """The modules that importing one loads, in a fresh interpreter."""
    script = f"import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_package_itself_loads_nothing() -> None:
    assert loaded_by("curation") == {"curation"}


def test_the_python_api_loads_no_other_room_and_nothing_of_a_server_or_a_training() -> None:
    loaded = {name.partition(".")[0] for name in loaded_by("curation.api")}

    assert loaded & {"backend", "trainer", "commands", "embedded", "flask", "gunicorn", "torch"} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "curation").glob("*.py")), ids=lambda path: path.name)
def test_a_module_prints_nothing_and_knows_no_terminal(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module).partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}

    assert names & {"print", "input"} == set()
    assert imported & {"click", "rich", "sys"} == set()
