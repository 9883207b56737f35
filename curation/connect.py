"""Connects a project to the backend, in Label Studio and in Redis, and disconnects it again."""

from dataclasses import dataclass

from annotune.errors import ConfigurationError, RecordUnreadable, StoreUnavailable, TooManyProjects
from curation.backend_address import BackendAddress
from curation.connection import ConnectionChange, ProjectConnection
from curation.context import CurationContext


@dataclass(frozen=True)
class Connected:
    """A connected project: what was changed in Label Studio, and the address that Label Studio has of the backend.

    `error` says why Redis does not take the project in; it is empty if it does.
    """

    change: ConnectionChange
    address: BackendAddress
    error: str = ""


@dataclass(frozen=True)
class Disconnected:
    """A disconnected project. `tasks` counts those whose answers were deleted from Redis.

    If Redis did not answer, `error` says so: the answers stay until the project is disconnected again.
    """

    change: ConnectionChange
    tasks: int
    error: str = ""


def connect_project(context: CurationContext, project: int, url: str | None = None) -> Connected:
    """Connect a project. A failure changes nothing, and connecting it twice changes nothing more.

    Args:
        context: settings, Redis and Label Studio.
        project: its id in Label Studio.
        url: where Label Studio reaches the backend; None: the setting BACKEND_URL.

    Raises:
        ConfigurationError: there is no URL, or Label Studio would refuse it.
        NotFound: there is no such project.
        LabelStudioError: Label Studio does not reach the backend; the message says what to do.
    """
    address = BackendAddress.of(url, context.settings)
    change = ProjectConnection(context.label_studio, project).connect(address)
    try:
        context.jobs.changed(project)
    except StoreUnavailable:  # the project's first event has the same effect
        pass
    except (RecordUnreadable, TooManyProjects) as error:
        return Connected(change, address, error=str(error))
    return Connected(change, address)


def disconnect_project(context: CurationContext, project: int) -> Disconnected:
    """Disconnect a project, and delete the answers that Redis keeps of it. Versions and prompts stay.

    Raises:
        NotFound: there is no such project.
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
    """
    try:
        address = BackendAddress.of(None, context.settings)
    except ConfigurationError:
        address = None  # the title of our backend and the header of our webhook identify them too
    change = ProjectConnection(context.label_studio, project).disconnect(address)
    try:
        tasks = context.store.answers.forget(project)
        context.store.projects.forget(project)
    except StoreUnavailable as error:
        return Disconnected(change, tasks=0, error=str(error))
    return Disconnected(change, tasks=tasks)
