"""What importing the room loads."""

import subprocess
import sys
from pathlib import Path

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
