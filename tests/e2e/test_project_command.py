"""`annotune project` with a real Label Studio, backend and worker."""

import json
from collections.abc import Callable

from annotune.label_studio.client import LabelStudioClient
from annotune.store.store import Store
from curation.templates import find_template
from embedded.deployment import Deployment

TITLE = "Made by the command"
ANSWER = {"from_name": "response", "to_name": "question", "type": "textarea", "value": {"text": ["Yes."]}}


def test_a_project_and_its_review_are_made_once(
    studio: LabelStudioClient,
    deployed: Callable[..., Deployment],
    run: Callable[..., str],
    store_of: Callable[[Deployment], Store],
) -> None:
    deployment = deployed()
    create = ("project", "create", "medchat", "--title", TITLE)

    first, again = run(deployment, *create), run(deployment, *create)

    [made] = [row for row in studio.projects.all() if row.title == TITLE]
    [backend] = studio.backends.of_project(made.id)
    assert f"project {made.id} {TITLE!r}: the model fills response" in first
    assert f"open it: {studio.url}/projects/{made.id}" in first
    assert f"project {made.id} {TITLE!r} was there already: nothing changed" in again
    assert backend.url == deployment.environment["BACKEND_URL"]
    [version] = store_of(deployment).prompts.versions(made.id)
    assert version.text == find_template("medchat").prompt

    annotation = {"result": [ANSWER], "ground_truth": False}
    task = {"data": {"question": "Is it safe?", "answer": "No."}, "annotations": [annotation]}
    studio.projects.import_whole(made.id, [task])
    review = ("project", "create", "review", "--from", str(made.id))
    run(deployment, *review)
    reviewed_again = run(deployment, *review)

    listed = {each["project"]: each for each in json.loads(run(deployment, "project", "list", "--json"))}
    [reviewing] = [each for each in listed.values() if each["reviews"] == made.id]
    assert "nothing changed" in reviewed_again
    assert (reviewing["template"], reviewing["tasks"], reviewing["connected"]) == ("review", 1, False)
    assert (listed[made.id]["template"], listed[made.id]["annotated"]) == ("medchat", 1)
    assert listed[made.id]["connected"]
    assert listed[made.id]["fills"] == ["response"]
