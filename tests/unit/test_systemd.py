"""The units of docs/systemd, as far as they can be looked at without being run."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from annotune.settings import Settings
from commands.main import annotune

UNITS = sorted((Path(__file__).resolve().parents[2] / "docs" / "systemd").glob("*.service"))


def service(path: Path) -> dict[str, str]:
    """The part [Service]; of an option that comes twice, the last."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    return dict(unit["Service"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_of_ours_as_a_plain_user(path: Path) -> None:
    written = service(path)
    program, command = written["ExecStart"].split()

    assert program == "/opt/annotune/.venv/bin/annotune"
    assert command in annotune.commands
    assert (written["User"], written["NoNewPrivileges"], written["ProtectSystem"]) == ("annotune", "true", "strict")
    assert written["EnvironmentFile"] == "/etc/annotune.env"
    assert set(re.findall(r"([A-Z_]+)=", written["Environment"])) <= {name.upper() for name in Settings.model_fields}


def test_a_stop_of_the_backend_waits_for_the_longest_answer() -> None:
    [backend] = [service(path) for path in UNITS if path.stem == "annotune-backend"]

    assert int(backend["TimeoutStopSec"]) == Settings.model_fields["model_deadline_s"].default + 10


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_understands_a_unit(path: Path, tmp_path: Path) -> None:
    unit = tmp_path / path.name
    unit.write_text(path.read_text(encoding="utf-8").replace("/opt/annotune/.venv/bin/annotune", "/bin/true"))

    result = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
