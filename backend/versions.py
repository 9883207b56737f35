"""The model versions of all projects, by the names that Label Studio stores with predictions."""

import logging

from annotune.errors import RecordUnreadable, StoreUnavailable
from backend.services import Services

log = logging.getLogger(__name__)


def version_names(services: Services) -> list[str]:
    """The live versions of all projects, then the other versions, newest first.

    Label Studio does not say which project it asks for. A project with unreadable records is left out.

    Raises:
        StoreUnavailable: Redis is away, and this process has read no project's live model yet.
    """
    live, others = [], []
    try:
        for project in services.store.projects.all():
            try:
                serving, versions = services.serving.resolve(project), services.store.versions.all(project)
            except RecordUnreadable as error:
                log.warning("project %d: its versions are left out: %s", project, error)
                continue
            live.append(serving.model_version)
            versions.reverse()
            others += [serving.with_model(version.ref).model_version for version in versions]
    except StoreUnavailable:
        cached = services.serving.cached()
        if not cached:
            raise
        live = [serving.model_version for serving in cached.values()]
    names = dict.fromkeys([*live, *others])
    return list(names) or [services.serving.default.model_version]
