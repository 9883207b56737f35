"""The real Label Studio: questions moved and corrected, answers reviewed."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import httpx
import pytest
from label_studio_double import region

from annotune.labeling.prediction import Prediction
from annotune.project_options import ProjectOptions
from annotune.settings import Settings
from annotune.store.store import Store
from curation.accepted import AcceptedAnswers
from curation.context import CurationContext
from curation.review import fill_review
from curation.templates import find_template
from curation.transfer import transfer_questions
from embedded.label_studio import LabelStudio


@pytest.fixture
def context(label_studio: LabelStudio, store: Store, redis_url: str) -> Iterator[CurationContext]:
    settings: dict[str, Any] = {"label_studio_url": label_studio.url, "label_studio_api_key": label_studio.api_key}
    with closing(CurationContext(Settings(**settings, redis_url=redis_url))) as made:
        yield made


def submit(label_studio: LabelStudio, path: str, *regions: Mapping[str, object], method: str = "POST") -> int:
    """What the editor sends; the id of the annotation."""
    key = {"Authorization": f"Token {label_studio.api_key}"}
    sent = httpx.request(method, f"{label_studio.url}/api/{path}/", json={"result": regions}, headers=key, timeout=60)
    sent.raise_for_status()
    return int(sent.json()["id"])


def test_questions_are_moved_corrected_and_their_answers_reviewed(
    context: CurationContext, label_studio: LabelStudio, store: Store
) -> None:
    studio = context.label_studio
    questions, answers, review = [
        studio.projects.create(f"Moved {name}", find_template(name).config)
        for name in ("questions", "answers", "review")
    ]
    store.options.set(questions, ProjectOptions(fills=("response",)))
    store.options.set(answers, ProjectOptions(fills=("response",)))
    store.options.set(review, ProjectOptions(reviews=answers))
    [text] = studio.projects.import_tasks(questions, [{"text": "Gout is ...", "abstract_id": 7}])
    listed = submit(
        label_studio, f"tasks/{text}/annotations", region("response", "1. What causes gout?\n2. Who gets it?")
    )

    first, second = transfer_questions(context, questions, answers).moved

    assert transfer_questions(context, questions, answers).changed_nothing
    studio.predictions.create_many(
        answers, dict.fromkeys((first, second), Prediction((region("response", "x") | {"to_name": "question"},), "m"))
    )
    submit(label_studio, f"tasks/{second}/annotations", region("response", "Men."))
    corrected = region("response", "1. What causes gout in men?\n2. Who gets gout?")
    submit(label_studio, f"annotations/{listed}", corrected, method="PATCH")
    again = transfer_questions(context, questions, answers)
    assert (again.moved, again.updated, [each.task for each in again.concerned]) == ([], [first], [second])
    found = {task.id: task for task in studio.tasks.by_id(answers)}
    assert [found[task].data["question"] for task in (first, second)] == ["What causes gout in men?", "Who gets it?"]
    assert [len(found[task].predictions) for task in (first, second)] == [0, 1]

    [reviewed] = fill_review(context, review, answers).moved
    verdict = {"from_name": "verdict", "to_name": "question", "type": "choices", "value": {"choices": ["Correct"]}}
    correction = region("correction", "Mostly men over forty.") | {"to_name": "question"}
    submit(label_studio, f"tasks/{reviewed}/annotations", verdict, correction)

    counted = list(AcceptedAnswers.of(context, answers).read(context))
    assert [(each.task.id, each.answer) for each in counted] == [(second, "Mostly men over forty.")]
    assert fill_review(context, review, answers).changed_nothing
