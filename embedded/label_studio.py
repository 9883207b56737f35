"""A real Label Studio on loopback, with SQLite and without analytics. Its owner and API key are set at the first start."""

from pathlib import Path
from typing import Self

from embedded.processes import Service, answers, free_port

PROGRAM = Path(__file__).resolve().parent.parent / ".venv-label-studio" / "bin" / "label-studio"

# The first start migrates the database: a minute on an idle laptop.
START_DEADLINE_S = 420

# Label Studio reads these (1.23.2). The two about addresses let it call a backend and a webhook on loopback.
ENVIRONMENT = {
    "DJANGO_DB": "sqlite",
    "COLLECT_ANALYTICS": "False",
    "LATEST_VERSION_CHECK": "False",
    "FEATURE_FLAGS_OFFLINE": "true",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "DO_NOT_TRACK": "1",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "ML_BLOCK_LOCAL_IP": "False",
    "SSRF_PROTECTION_ENABLED": "False",
    "WEBHOOK_TIMEOUT": "5",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


class LabelStudio:
    """Keeps its database in `folder` across restarts, even on another port. `host` is the address that it listens on."""

    email = "demo@annotune.example"
    password = "annotune-demo"  # noqa: S105 - of a throwaway server on loopback
    api_key = "0a110707e0a110707e0a110707e0a110707e0a11"

    def __init__(
        self, folder: Path, port: int | None = None, *, program: Path = PROGRAM, host: str = "127.0.0.1"
    ) -> None:
        self.host = host
        self.port = port or free_port()
        command = [str(program), "start", "--no-browser", "--internal-host", host, "--port", str(self.port)]
        command += ["--username", self.email, "--password", self.password, "--user-token", self.api_key]
        folders = {"LABEL_STUDIO_BASE_DATA_DIR": str(folder), "LABEL_STUDIO_HOST": self.url}
        self.program = program
        self.service = Service("Label Studio", command, env=ENVIRONMENT | folders, log=folder / "label-studio.log")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            FileNotFoundError: Label Studio is not installed. The message says what to run.
            ServiceError: it did not start.
        """
        if not self.program.exists():
            raise FileNotFoundError(f"no Label Studio at {self.program}: run 'make install'")
        self.service.start(answers(f"{self.url}/health"), START_DEADLINE_S)

    def stop(self) -> None:
        self.service.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
