"""Connects a Label Studio project to a backend: one ML backend and one webhook, and disconnects it again."""

from contextlib import ExitStack
from dataclasses import dataclass

from annotune.errors import LabelStudioError
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import BackendRow, BackendSettings, WebhookRow, WebhookSettings
from annotune.settings import SECRET_HEADER
from curation.backend_address import BackendAddress, same_url

TITLE = "annotune"
ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATIONS_DELETED",
    "PROJECT_UPDATED",
)


@dataclass(frozen=True)
class ConnectionChange:
    """What a connect found and did. `changes` is empty where nothing was to do."""

    title: str
    changes: tuple[str, ...]
    model_version: str


class ProjectConnection:
    """One project of a Label Studio."""

    def __init__(self, label_studio: LabelStudioClient, project: int) -> None:
        self._label_studio = label_studio
        self._project = project

    def title(self) -> str:
        """The project's title. It shows that Label Studio answers, the key is right, and the project exists.

        Raises:
            NotFound, Unauthorized, LabelStudioError: the message says which.
        """
        return self._label_studio.projects.get(self._project).title

    def connect(self, address: BackendAddress) -> ConnectionChange:
        """Add what is missing, repair what is wrong, remove what is double. A failure leaves everything as it was.

        Raises:
            NotFound, Unauthorized, LabelStudioError: the message says which, and what to do.
        """
        title = self.title()
        backends = self._backends(address)
        webhooks = self._webhooks(address, backends)
        changes: list[str] = []
        with ExitStack() as undo:
            # The webhook comes first: Label Studio then makes none of its own, which would send all actions.
            changes += self._put_webhook(address, webhooks[:1], undo)
            changes += self._put_backend(address, backends[:1], undo)
            backend = self._connected(address, changes)
            undo.pop_all()
        changes += [self._remove_backend(double) for double in backends[1:]]
        changes += [self._remove_webhook(double) for double in webhooks[1:]]
        return ConnectionChange(title=title, changes=tuple(changes), model_version=backend.model_version)

    def disconnect(self, address: BackendAddress | None) -> ConnectionChange:
        """Remove our backends and their webhooks, also webhooks that Label Studio left behind.

        Raises:
            NotFound, Unauthorized, LabelStudioError: the message says which.
        """
        title = self.title()
        backends = self._backends(address)
        webhooks = self._webhooks(address, backends)
        changes = [self._remove_backend(backend) for backend in backends]
        changes += [self._remove_webhook(webhook) for webhook in webhooks]
        return ConnectionChange(title=title, changes=tuple(changes), model_version="")

    def _backends(self, address: BackendAddress | None) -> list[BackendRow]:
        """Our backends: those at the address first, then those elsewhere.

        The latter have our title, or have it as their description, where the worker gave them a version as their title.
        """
        found = self._label_studio.backends.of_project(self._project)
        here = [row for row in found if address and same_url(row.url, address.url)]
        return here + [row for row in found if row not in here and TITLE in {row.title, row.description}]

    def _webhooks(self, address: BackendAddress | None, backends: list[BackendRow]) -> list[WebhookRow]:
        """Our webhooks: those at the address first, then those of our backends elsewhere, or with our header."""
        found = self._label_studio.webhooks.of_project(self._project)
        here = [row for row in found if address and same_url(row.url, address.webhook)]
        urls = {f"{backend.url.rstrip('/')}/webhook" for backend in backends}
        return here + [
            row for row in found if row not in here and (row.url.rstrip("/") in urls or SECRET_HEADER in row.headers)
        ]

    def _put_webhook(self, address: BackendAddress, found: list[WebhookRow], undo: ExitStack) -> list[str]:
        """Add the webhook, or repair the one that was found; what was changed."""
        right = WebhookSettings(
            url=address.webhook,
            headers=dict(address.headers),
            actions=frozenset(ACTIONS),
            send_for_all_actions=False,
            send_payload=True,
            is_active=True,
        )
        if not found:
            undo.callback(self._remove_webhook, self._label_studio.webhooks.create(self._project, right))
            return [f"added the webhook {address.webhook}"]
        [row] = found
        wrong = [name for name in WebhookSettings.model_fields if getattr(row, name) != getattr(right, name)]
        if not wrong:
            return []
        self._label_studio.webhooks.update(self._project, row.id, right)
        undo.callback(self._label_studio.webhooks.update, self._project, row.id, row)
        return [f"repaired the webhook {address.webhook} ({', '.join(wrong)})"]

    def _put_backend(self, address: BackendAddress, found: list[BackendRow], undo: ExitStack) -> list[str]:
        """Add the backend, or repair the one that was found; what was changed."""
        right = BackendSettings(
            url=address.url,
            is_interactive=True,
            auth_method="BASIC_AUTH" if address.user else "NONE",
            basic_auth_user=address.user,
        )
        if not found:
            made = self._label_studio.backends.create(self._project, TITLE, right, address.password)
            undo.callback(self._remove_backend, made)
            return [f"added the backend {address.url}"]
        [row] = found
        wrong = [name for name, value in right.model_dump(exclude_none=True).items() if getattr(row, name) != value]
        if not wrong and row.is_connected:
            return []
        # Label Studio shows no password. Where it does not reach the backend, it may have an old one.
        self._label_studio.backends.update(self._project, row.id, right, address.password)
        return [f"repaired the backend {address.url} ({', '.join(wrong) or 'it was not connected'})"]

    def _connected(self, address: BackendAddress, changes: list[str]) -> BackendRow:
        """The backend, if Label Studio reaches it now."""
        found = self._label_studio.backends.of_project(self._project)
        backend = next(row for row in found if same_url(row.url, address.url))
        if not backend.is_connected:
            what = "; nothing was changed" if changes else ""
            reason = backend.error_message or "it does not answer there"
            raise LabelStudioError(
                f"Label Studio does not reach the backend at {address.url}: {reason[:300]}: start it with"
                f" 'annotune serve', or give --url an address that Label Studio reaches{what}"
            )
        return backend

    def _remove_backend(self, backend: BackendRow) -> str:
        self._label_studio.backends.delete(self._project, backend.id)
        return f"removed the backend {backend.url}"

    def _remove_webhook(self, webhook: WebhookRow) -> str:
        self._label_studio.webhooks.delete(self._project, webhook.id)
        return f"removed the webhook {webhook.url}"
