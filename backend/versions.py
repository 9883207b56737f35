"""The versions of all projects, under the names that Label Studio was told."""

import logging

from annotune.errors import RecordUnreadable, StoreUnavailable
from backend.services import Services

log = logging.getLogger(__name__)


def version_names(services: Services) -> list[str]:
    """What is live in any project, then the other versions, newest first; Label Studio does not say which project it means.

    A project whose records cannot be read is left out.

    Raises:
        StoreUnavailable: Redis is away, and this process never read a live pointer.
    """
    live, others = [], []
    try:
        for project in services.store.projects.all():
            try:
                serving, versions = services.serving.resolve(project), services.store.versions.all(project)
            except RecordUnreadable as error:
                log.warning("project %d: its versions are not told: %s", project, error)
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
