"""Tasks by their ids, and predictions pushed, by the SDK over real HTTP."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from label_studio_double import CONFIG, LabelStudioDouble, region

from annotune.errors import LabelStudioError, LabelStudioUnreachable, NotFound, Unauthorized
from annotune.ids import parse_ranges
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.tasks import PAGE_TASKS, RANGES
from annotune.labeling.prediction import Prediction
from embedded.label_studio import LabelStudio
from embedded.processes import free_port

SAID = Prediction((region("response", "40 mg"),), "m@1", 0.25)


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=2 * PAGE_TASKS + 1)
    return double


@pytest.fixture
def studio(double: LabelStudioDouble) -> Iterator[LabelStudioClient]:
    with closing(LabelStudioClient(double.url, "legacy", retries=0)) as made:
        yield made


def test_all_tasks_come_once_in_their_order_annotated_or_not(
    double: LabelStudioDouble, studio: LabelStudioClient
) -> None:
    double.submit(4, 1, "40 mg")

    assert [task.id for task in studio.tasks.by_id(4)] == [task["id"] for task in double.projects[4]]
    assert studio.tasks.count(4) == 2 * PAGE_TASKS + 1


def test_what_is_deleted_meanwhile_hides_no_other_task(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    tasks = studio.tasks.by_id(4)
    next(tasks)
    del double.projects[4][:50]

    assert [task.id for task in tasks] == [4000 + number for number in range(1, 2 * PAGE_TASKS + 1)]


def test_many_ranges_are_asked_for_a_few_at_a_time(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    ids = parse_ranges(",".join(str(4000 + 2 * number) for number in range(2 * RANGES + 1)))

    assert [task.id for task in studio.tasks.by_id(4, ids)] == [4000 + 2 * number for number in range(2 * RANGES + 1)]
    assert len(double.asked) == 3
    assert max(len(query["query"][0]) for _, _, query in double.asked) < 2000


def test_a_page_of_a_project_that_is_not_there_is_told(studio: LabelStudioClient) -> None:
    with pytest.raises(NotFound, match="project 5"):
        list(studio.tasks.by_id(5))


def test_a_prediction_is_pushed_with_version_and_score(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    studio.predictions.create(4002, SAID)

    [task] = studio.tasks.by_id(4, (range(4002, 4003),))
    assert [(found.model_version, found.result) for found in task.predictions] == [("m@1", SAID.result)]
    assert double.predictions(4)[2][0]["score"] == 0.25


def test_the_real_one_tells_what_is_stored_for_one_task(label_studio: LabelStudio) -> None:
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as studio:
        project = studio.projects.create("Stored", CONFIG)
        first, second = studio.projects.import_tasks(project, [{"question": "a"}, {"question": "b"}])

        studio.predictions.create(second, SAID)

        assert studio.predictions.of_task(first) == ()
        assert [(found.model_version, found.result) for found in studio.predictions.of_task(second)] == [
            ("m@1", SAID.result)
        ]


@pytest.mark.parametrize(
    ("status", "kind"), [(500, LabelStudioError), (429, LabelStudioError), (401, Unauthorized), (404, NotFound)]
)
def test_a_push_that_is_refused_is_told_and_not_tried_again(double, studio, status, kind) -> None:
    double.push_refusal[4002] = (status, {"detail": "no"})

    with pytest.raises(kind):
        studio.predictions.create(4002, SAID)

    assert [path for path, _, _ in double.asked] == ["/api/predictions/"]


def test_a_push_to_where_nothing_answers_is_told_apart() -> None:
    with (
        closing(LabelStudioClient(f"http://127.0.0.1:{free_port()}", "legacy", retries=0)) as studio,
        pytest.raises(LabelStudioUnreachable),
    ):
        studio.predictions.create(1, SAID)
