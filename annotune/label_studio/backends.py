"""ML backends of a project.

Facts of Label Studio 1.23.2. Adding a backend makes a webhook for all actions, unless one with that URL exists. Where it
cannot make one, it says nothing. Removing the backend leaves the webhook. A change of a backend is checked whole: what is
left out counts as empty, an empty password as the one that is stored, and `url` and `project` are needed. No answer shows
a password.
"""

from typing import Any

from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import BackendRow, BackendSettings


class Backends:
    """All methods raise as `LabelStudioConnection.call` does."""

    def __init__(self, connection: LabelStudioConnection) -> None:
        self._connection = connection

    def of_project(self, project: int) -> list[BackendRow]:
        """The backends of a project. Label Studio asks each for its version meanwhile."""
        with self._connection.call(f"project {project}") as sdk:
            found = sdk.ml.list(project=project, request_options=self._connection.retrying)
            return [BackendRow.model_validate(row.dict()) for row in found]

    def create(self, project: int, title: str, settings: BackendSettings, password: str | None) -> BackendRow:
        """Add a backend, whose `/setup` Label Studio calls. Refusals of the address are explained."""
        with self._connection.call(f"project {project}", address=settings.url) as sdk:
            made = sdk.ml.create(project=project, title=title, **_as_sent(settings, password))
            return BackendRow.model_validate(made.dict())

    def update(self, project: int, backend: int, settings: BackendSettings, password: str | None) -> None:
        """Change a backend, and have Label Studio call its `/setup`. Refusals of the address are explained."""
        with self._connection.call(f"project {project}", address=settings.url) as sdk:
            sdk.ml.update(backend, project=project, **_as_sent(settings, password))

    def rename(self, project: int, backend: BackendRow, title: str) -> None:
        """Give a backend another title, and keep its first one as its description.

        Where the project's `model_version` is the former title, Label Studio changes it too (1.23.2).
        """
        same: dict[str, Any] = {"project": project, "url": backend.url, "extra_params": backend.extra_params}
        if backend.auth_method:
            same["auth_method"] = backend.auth_method
        if backend.basic_auth_user:
            same |= {"basic_auth_user": backend.basic_auth_user, "basic_auth_pass": ""}
        with self._connection.call(f"project {project}") as sdk:
            sdk.ml.update(backend.id, title=title, description=backend.description or backend.title, **same)

    def delete(self, project: int, backend: int) -> None:
        """Remove a backend; its webhook stays."""
        with self._connection.call(f"project {project}") as sdk:
            sdk.ml.delete(backend)


def _as_sent(settings: BackendSettings, password: str | None) -> dict[str, Any]:
    return settings.model_dump(exclude_none=True) | ({} if password is None else {"basic_auth_pass": password})
