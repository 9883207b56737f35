"""A deployment by `docker compose`, in a copy of this repository with an `.env` of its own."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotune.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".[!e]*", ".env", "*.env", "runs", "spool", "build", "*.egg-info", "__pycache__")
LONG_S = 3600


class Deployment:
    """Compose's project `name`, whose files are copied into `folder`.

    Images that variables of the environment name (`BACKEND_IMAGE`, `LABEL_STUDIO_IMAGE` ...) are taken as they are; without
    `BACKEND_IMAGE` ours are built.
    """

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        subprocess.run(["make", "--silent", "env"], cwd=folder, check=True, capture_output=True)
        self.set(**settings)
        ours = {field.upper() for field in Settings.model_fields}
        self._environment = {
            key: value for key, value in os.environ.items() if key not in ours and not key.startswith("COMPOSE_")
        } | {"COMPOSE_PROJECT_NAME": name}

    @property
    def settings(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+)=(.*)$", (self.folder / ".env").read_text(encoding="utf-8"), re.MULTILINE))

    def set(self, **settings: str) -> None:
        """Write lines of `.env`, each as given."""
        path = self.folder / ".env"
        kept = [
            line for line in path.read_text(encoding="utf-8").splitlines() if line.partition("=")[0] not in settings
        ]
        lines = [*kept, *(f"{name}={value}" for name, value in settings.items())]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def up(self) -> None:
        """`docker compose up -d`, as a person types it."""
        self.run("up", "-d", *([] if "BACKEND_IMAGE" in os.environ else ["--build"]))

    def down(self) -> None:
        """Remove all of it, its volumes too."""
        self.run("--profile", "*", "down", "-v", "--timeout", "5", "--remove-orphans")

    def run(self, *arguments: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
        """What `docker compose` printed; its errors too where it failed, which fails the test."""
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            timeout=LONG_S,
            check=False,
        )
        printed, errors = (part.decode(errors="replace") for part in (done.stdout, done.stderr))
        told = f"docker compose {' '.join(arguments)}: exit code {done.returncode}\n{printed}{errors}"
        assert done.returncode in ok, told
        return printed if done.returncode == 0 else told

    def inside(self, service: str, *command: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
        """What a command printed in a service's container."""
        return self.run("exec", "-T", service, *command, stdin=stdin, ok=ok)

    def environment(self, service: str) -> dict[str, str]:
        """What a service's container was given."""
        lines = self.inside(service, "env").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def containers(self) -> dict[str, dict[str, Any]]:
        """What compose tells of each service's container, stopped ones too."""
        told = [json.loads(line) for line in self.run("ps", "-a", "--format", "json").splitlines()]
        return {each["Service"]: each for each in told}

    def config(self) -> dict[str, Any]:
        """The file that compose makes of all files and variables."""
        parsed: dict[str, Any] = json.loads(self.run("config", "--format", "json"))
        return parsed
