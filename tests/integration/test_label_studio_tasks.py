"""Tasks by their ids, and predictions pushed, by the SDK over real HTTP."""

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from label_studio_double import CONFIG, LabelStudioDouble, region

from annotune.errors import LabelStudioError, LabelStudioSilent, LabelStudioUnreachable, NotFound, Unauthorized
from annotune.ids import ALL, parse_ranges
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.tasks import LISTED_TASKS, PAGE_TASKS, RANGES
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


# What a transfer reads and changes


def test_only_the_data_is_listed_in_large_pages(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    double.submit(4, 1, "40 mg")

    listed = list(studio.tasks.listed(4))

    assert [(task.id, task.data) for task in listed] == [(task["id"], task["data"]) for task in double.projects[4]]
    [(_, _, query)] = double.asked
    assert (query["include"], query["page_size"], "fields" in query) == (["id,data"], [str(LISTED_TASKS)], False)


def test_predictions_in_one_request_are_all_stored_or_none(
    double: LabelStudioDouble, studio: LabelStudioClient
) -> None:
    assert studio.predictions.create_many(4, dict.fromkeys((4000, 4001), SAID)) == 2
    assert studio.predictions.create_many(4, dict.fromkeys((4002, 1), SAID)) == 0

    assert [len(task) for task in double.predictions(4)[:4]] == [1, 1, 0, 0]
    assert [path for path, _, _ in double.asked] == ["/api/projects/4/import/predictions"] * 2


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (502, LabelStudioSilent)])
def test_predictions_in_one_request_are_refused_for_good(double, studio, status, kind) -> None:
    double.push_refusal[4002] = (status, {"detail": "no"})

    with pytest.raises(kind):
        studio.predictions.create_many(4, {4002: SAID})

    assert len(double.asked) == 1


def test_the_real_one_takes_predictions_and_data_and_tells_what_is_touched(label_studio: LabelStudio) -> None:
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as studio:
        project = studio.projects.create("Transferred", CONFIG)
        ids = studio.projects.import_tasks(project, [{"question": str(number), "source": "s"} for number in range(4)])
        unfit = Prediction((region("elsewhere", "40 mg"),), "m@1")

        assert studio.predictions.create_many(project, {ids[0]: SAID, ids[1]: unfit}) == 1
        assert studio.predictions.create_many(project, {ids[2]: SAID, ids[3] + 99: SAID}) == 0
        studio.tasks.update_data(ids[1], {"question": "new"})
        for path, body in (("drafts", {}), ("annotations/", {"was_cancelled": True})):
            task = ids[2] if path == "drafts" else ids[3]
            label_studio_post(label_studio, f"/api/tasks/{task}/{path}", {"result": [region("response", "x")]} | body)

        assert [task.data for task in studio.tasks.listed(project)][1] == {"question": "new"}
        assert [len(task.predictions) for task in studio.tasks.predicted(project, ALL)] == [1, 0, 0, 0]
        touched = {task.id: task for task in studio.tasks.touched(project, ALL)}
        assert [touched[task].touched for task in ids] == [False, False, True, True]
        [prediction] = touched[ids[0]].predictions
        studio.predictions.delete(prediction)
        studio.predictions.delete(prediction)
        assert studio.predictions.of_task(ids[0]) == ()


def label_studio_post(label_studio: LabelStudio, path: str, body: dict[str, object]) -> None:
    """What a browser sends to the real Label Studio."""
    key = {"Authorization": f"Token {label_studio.api_key}"}
    httpx.post(f"{label_studio.url}{path}", json=body, headers=key, timeout=60).raise_for_status()
