"""Webhooks of a project. A change without `actions` empties them (Label Studio 1.23.2), so each change sends all."""

from typing import Any

from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import WebhookRow, WebhookSettings


class Webhooks:
    """All methods raise as `LabelStudioConnection.call` does."""

    def __init__(self, connection: LabelStudioConnection) -> None:
        self._connection = connection

    def of_project(self, project: int) -> list[WebhookRow]:
        """The webhooks of a project."""
        with self._connection.call(f"project {project}") as sdk:
            found = sdk.webhooks.list(project=str(project), request_options=self._connection.retrying)
            return [WebhookRow.model_validate(row.dict()) for row in found]

    def create(self, project: int, settings: WebhookSettings) -> WebhookRow:
        """Add a webhook. Refusals of the address are explained."""
        with self._connection.call(f"project {project}", address=settings.url) as sdk:
            made = sdk.webhooks.create(project=project, **_as_sent(settings))
            return WebhookRow.model_validate(made.dict())

    def update(self, project: int, webhook: int, settings: WebhookSettings) -> None:
        """Give a webhook all of these settings. Refusals of the address are explained."""
        with self._connection.call(f"project {project}", address=settings.url) as sdk:
            sdk.webhooks.update(webhook, **_as_sent(settings))

    def delete(self, project: int, webhook: int) -> None:
        """Remove a webhook."""
        with self._connection.call(f"project {project}") as sdk:
            sdk.webhooks.delete(webhook)


def _as_sent(settings: WebhookSettings) -> dict[str, Any]:
    """The settings alone, of a row too."""
    sent = settings.model_dump(include=set(WebhookSettings.model_fields))
    return sent | {"actions": sorted(settings.actions)}
