"""The versions of all projects, under the names that Label Studio was told."""

from annotune.errors import StoreUnavailable
from annotune.live import model_version
from backend.services import Services


def version_names(services: Services) -> list[str]:
    """What is live in any project, then the other versions, newest first; Label Studio does not say which project it means.

    Raises:
        StoreUnavailable: Redis is away, and this process never read a live pointer.
    """
    live, others = [], []
    try:
        for project in services.store.projects():
            serving = services.live.serving(project)
            live.append(serving.model_version)
            versions = sorted(services.store.versions(project), key=lambda version: version.number, reverse=True)
            others += [model_version(version.model, serving.prompt) for version in versions]
    except StoreUnavailable:
        known = services.live.known()
        if not known:
            raise
        live = [serving.model_version for serving in known.values()]
    names = dict.fromkeys([*live, *others])
    return list(names) or [services.live.default.model_version]
