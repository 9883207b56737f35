"""An existing Label Studio project as a customer of a backend: one ML backend, one webhook, nothing half made.

Facts of Label Studio 1.23.2: adding a backend makes a webhook for all actions, unless one with that URL exists, and stays
silent where it cannot; removing the backend leaves the webhook; a change of a webhook without `actions` empties them;
a change of a backend is checked only with its `url` and `project`.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from label_studio_sdk.core import ApiError
from label_studio_sdk.types.ml_backend import MlBackend
from label_studio_sdk.types.webhook import Webhook

from annotune.errors import LabelStudioError
from annotune.label_studio.client import LabelStudioClient
from annotune.settings import SECRET_HEADER
from commands.address import Address, same_url

TITLE = "annotune"
ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATIONS_DELETED",
    "PROJECT_UPDATED",
)
CONNECTED = "CO"
# What Label Studio 1.23.2 says of an address that it does not take, and what to do.
EXPLANATIONS = {
    "reserved network address": (
        "Label Studio refuses the private address {url}: set ML_BLOCK_LOCAL_IP=false (for the backend) and"
        " SSRF_PROTECTION_ENABLED=false (for the webhook) in Label Studio's own environment, restart it, and connect again"
    ),
    "Enter a valid URL": (
        "Label Studio makes no webhook to {url}: its host must be an IP address, 'localhost' or a dotted name without"
        " underscores; give the service such a network alias, and connect that"
    ),
    "resolve hostname": (
        "Label Studio knows no host of the name in {url}: give --url an address that Label Studio, not you, reaches"
    ),
    "health check failed": (
        "Label Studio does not reach the backend at {url}: start it with 'annotune serve', or give --url an address that"
        " Label Studio reaches"
    ),
}
_SETUP_REFUSED = re.compile(r"Reason: (?P<status>\d+) \w+ Error: (?P<reason>.*?) for url")


@dataclass(frozen=True)
class ConnectionChange:
    """What a connect found and did. `changes` is empty where all was there already."""

    title: str
    changes: tuple[str, ...]
    model_version: str


class ProjectConnection:
    """One project of a Label Studio."""

    def __init__(self, studio: LabelStudioClient, project: int) -> None:
        self._studio = studio
        self._project = project

    def title(self) -> str:
        """The project's title: shows that Label Studio answers, that the key is right, and that the project is there.

        Raises:
            NotFound, Unauthorized, LabelStudioError: the message says which.
        """
        return self._studio.project(self._project).title

    def connect(self, address: Address) -> ConnectionChange:
        """Make what is missing, fix what is wrong, remove what is double. A failure leaves all as it was.

        Raises:
            NotFound, Unauthorized, LabelStudioError: the message says which, and what to do.
        """
        title = self.title()
        backends = self._backends(address)
        hooks = self._hooks(address, backends)
        changes: list[str] = []
        with ExitStack() as undo:
            # The webhook comes first: Label Studio then makes none of its own, which would tell of all actions.
            changes += self._put_hook(address, hooks[:1], undo)
            changes += self._put_backend(address, backends[:1], undo)
            backend = self._connected(address, changes)
            undo.pop_all()
        for double in backends[1:]:
            changes.append(self._remove_backend(double))
        for left in hooks[1:]:
            changes.append(self._remove_hook(left))
        return ConnectionChange(title=title, changes=tuple(changes), model_version=backend.model_version or "")

    def disconnect(self, address: Address | None) -> ConnectionChange:
        """Remove our backends and their webhooks, those that Label Studio left behind too."""
        title = self.title()
        backends = self._backends(address)
        hooks = self._hooks(address, backends)
        changes = [self._remove_backend(backend) for backend in backends]
        changes += [self._remove_hook(hook) for hook in hooks]
        return ConnectionChange(title=title, changes=tuple(changes), model_version="")

    def _backends(self, address: Address | None) -> list[MlBackend]:
        """Ours: those at the address, first, and those elsewhere that bear our title, or bore it before the worker's."""
        with self._asking():
            found = self._studio.client.ml.list(project=self._project)
        here = [one for one in found if address and same_url(one.url, address.url)]
        return here + [one for one in found if one not in here and TITLE in {one.title, one.description}]

    def _hooks(self, address: Address | None, backends: list[MlBackend]) -> list[Webhook]:
        """Ours: those at the address, first, those of our backends elsewhere, and those that carry our header."""
        with self._asking():
            found = self._studio.client.webhooks.list(project=str(self._project))
        here = [one for one in found if address and same_url(one.url, address.webhook)]
        urls = {f"{backend.url.rstrip('/')}/webhook" for backend in backends}
        return here + [
            one
            for one in found
            if one not in here and (one.url.rstrip("/") in urls or SECRET_HEADER in (one.headers or {}))
        ]

    def _put_hook(self, address: Address, found: list[Webhook], undo: ExitStack) -> list[str]:
        wanted: dict[str, Any] = {
            "url": address.webhook,
            "headers": address.headers,
            "actions": list(ACTIONS),
            "send_for_all_actions": False,
            "send_payload": True,
            "is_active": True,
        }
        if not found:
            with self._given(address.webhook):
                made = self._studio.client.webhooks.create(project=self._project, **wanted)
            undo.callback(self._remove_hook, made)
            return [f"added the webhook {address.webhook}"]
        was = _settings_of(found[0], wanted)
        wrong = [name for name in wanted if was[name] != (set(ACTIONS) if name == "actions" else wanted[name])]
        if not wrong:
            return []
        with self._given(address.webhook):
            self._studio.client.webhooks.update(_id(found[0]), **wanted)
        undo.callback(self._restore_hook, found[0], {**was, "actions": sorted(was["actions"])})
        return [f"repaired the webhook {address.webhook} ({', '.join(wrong)})"]

    def _restore_hook(self, hook: Webhook, was: dict[str, Any]) -> None:
        with self._asking():
            self._studio.client.webhooks.update(_id(hook), **was)

    def _put_backend(self, address: Address, found: list[MlBackend], undo: ExitStack) -> list[str]:
        wanted = {"url": address.url, "is_interactive": True, "auth_method": "NONE"}
        if address.user:
            wanted |= {"auth_method": "BASIC_AUTH", "basic_auth_user": address.user}
        secret = {"basic_auth_pass": address.password} if address.user else {}
        if not found:
            with self._given(address.url):
                made = self._studio.client.ml.create(project=self._project, title=TITLE, **wanted, **secret)
            undo.callback(self._remove_backend, made)
            return [f"added the backend {address.url}"]
        wrong = [name for name, value in wanted.items() if getattr(found[0], name) != value]
        if not wrong and found[0].state == CONNECTED:
            return []
        # Label Studio shows no password: one that it cannot reach the backend with may be an old one.
        with self._given(address.url):
            self._studio.client.ml.update(_id(found[0]), project=self._project, **wanted, **secret)
        return [f"repaired the backend {address.url} ({', '.join(wrong) or 'it was not connected'})"]

    def _connected(self, address: Address, changes: list[str]) -> MlBackend:
        """The backend, if Label Studio reaches it now."""
        with self._asking():
            found = self._studio.client.ml.list(project=self._project)
        backend: MlBackend = next(one for one in found if same_url(one.url, address.url))
        if backend.state != CONNECTED:
            what = "; nothing was changed" if changes else ""
            reason = backend.error_message or "it does not answer there"
            raise LabelStudioError(
                f"Label Studio does not reach the backend at {address.url}: {reason[:300]}: start it with"
                f" 'annotune serve', or give --url an address that Label Studio reaches{what}"
            )
        return backend

    def _remove_backend(self, backend: MlBackend) -> str:
        with self._asking():
            self._studio.client.ml.delete(_id(backend))
        return f"removed the backend {backend.url}"

    def _remove_hook(self, hook: Webhook) -> str:
        with self._asking():
            self._studio.client.webhooks.delete(_id(hook))
        return f"removed the webhook {hook.url}"

    @contextmanager
    def _given(self, url: str) -> Iterator[None]:
        """For calls that give Label Studio an address: its refusals of it, explained."""
        with self._asking():
            try:
                yield
            except ApiError as error:
                explained = _explained(_said(error.body), url)
                if explained:
                    raise LabelStudioError(explained) from error
                raise

    def _asking(self) -> AbstractContextManager[None]:
        return self._studio.mapped(f"project {self._project}")


def _explained(body: str, url: str) -> str:
    """What to do about Label Studio's refusal of an address; empty for what is refused for another reason."""
    refused = _SETUP_REFUSED.search(body)
    if refused and refused["status"] == "401":
        return (
            f"the backend at {url} refused the basic auth: BASIC_AUTH_USER and BASIC_AUTH_PASS must be the same here and"
            " where it is served"
        )
    if refused:
        return f"the backend at {url} refuses the project: {refused['reason']}"
    for said, explanation in EXPLANATIONS.items():
        if said in body:
            return explanation.format(url=url)
    return ""


def _said(body: object) -> str:
    """All texts of an error's body, which nests them differently for each error."""
    if isinstance(body, dict):
        return "\n".join(_said(value) for value in body.values())
    return "\n".join(_said(value) for value in body) if isinstance(body, list) else str(body)


def _settings_of(hook: Webhook, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(hook, name) for name in wanted} | {
        "actions": set(hook.actions or ()),
        "headers": hook.headers or {},
    }


def _id(row: MlBackend | Webhook) -> int:
    if row.id is None:
        raise LabelStudioError("Label Studio answered with a row that has no id: is LABEL_STUDIO_URL right?")
    return row.id
