"""The names of keys and queues."""

import re
from itertools import combinations

import pytest

from annotune.settings import Settings
from annotune.store.keys import Keys
from annotune.store.migration import OLD_QUEUES, migrated_name

MAIN = Keys("main")
AWKWARD = ["main", "4", "04", "projects", "worker", "annotune", "a", "a-changes", "changes", "live"]
NAMES = ["changes", "live", "prompt-number", "answers:7", "lease:training"]


def every_name(deployment: str) -> set[str]:
    keys = Keys(deployment)
    shared = {getattr(keys, name) for name, kind in vars(Keys).items() if isinstance(kind, property)}
    assert {keys.projects, keys.worker} <= shared
    return shared | {keys.of(project, name) for project in (4, 12) for name in NAMES}


@pytest.mark.parametrize("name", AWKWARD)
def test_the_names_of_awkward_deployments_are_allowed(name: str) -> None:
    assert Settings(deployment=name).deployment == name


@pytest.mark.parametrize(("one", "other"), [*combinations(AWKWARD, 2)])
def test_no_two_deployments_share_a_key_or_a_queue(one: str, other: str) -> None:
    assert not every_name(one) & every_name(other)
    queues = [{Keys(name).queue(kind) for kind in ("changes", "training")} for name in (one, other)]
    assert not queues[0] & queues[1]
    assert not queues[0] & set(OLD_QUEUES.values())


@pytest.mark.parametrize("deployment", AWKWARD)
def test_no_key_of_a_deployment_is_taken_for_an_old_one(deployment: str) -> None:
    assert [migrated_name(key, MAIN) for key in every_name(deployment)] == [None] * len(every_name(deployment))


@pytest.mark.parametrize("name", NAMES)
def test_an_old_key_goes_to_the_same_project_and_name(name: str) -> None:
    assert migrated_name(f"annotune:4:{name}", MAIN) == f"annotune:main:4:{name}"


def test_the_old_set_of_projects_goes_along() -> None:
    assert migrated_name("annotune:projects", MAIN) == "annotune:main:projects"


@pytest.mark.parametrize(
    "key", ["annotune:worker", "annotune:x:live", "annotune:4:live:x", "annotune:4:", "other:4:live"]
)
def test_what_is_no_old_key_stays(key: str) -> None:
    assert migrated_name(key, MAIN) is None


def test_a_key_says_deployment_project_and_name() -> None:
    assert re.fullmatch(r"annotune:main:12:live", MAIN.of(12, "live"))
