"""The adapter to Label Studio, by the SDK, over real HTTP."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing

import httpx
import label_studio_sdk.errors
import pytest
from label_studio_double import CONFIG, LabelStudioDouble, region
from label_studio_sdk.core import ApiError
from pydantic import SecretStr

from annotune.errors import AnnotuneError, ConfigurationError, LabelStudioError, NotFound, Unauthorized
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import ProjectRow
from annotune.label_studio.tasks import PAGE_TASKS
from annotune.settings import Settings
from embedded.processes import free_port

# An unsigned personal access token: {"token_type": "refresh", "exp": 4102444800}, in 2100.
PERSONAL = "eyJhbGciOiJub25lIn0.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6NDEwMjQ0NDgwMH0."


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=2)
    return double


@pytest.fixture
def studio(double: LabelStudioDouble) -> Iterator[LabelStudioClient]:
    with closing(LabelStudioClient(double.url, "legacy", retries=0)) as made:
        yield made


def test_a_project_has_its_config(studio: LabelStudioClient) -> None:
    found = studio.projects.get(4)

    assert found == ProjectRow(id=4, title="Project 4", label_config=CONFIG, task_number=2)


def test_tasks_come_with_regions_of_annotations_and_predictions(
    double: LabelStudioDouble, studio: LabelStudioClient
) -> None:
    double.submit(4, 0, "40 mg")
    double.projects[4][0]["predictions"].append(
        {"id": 9, "result": [region("response", "30 mg")], "model_version": "m@1", "created_at": "2026-11-23T12:00:00Z"}
    )

    [task] = studio.tasks.annotated(4)

    [annotation], [prediction] = task.annotations, task.predictions
    assert task.data == {"question": "Question 0?"}
    assert annotation.result == (region("prompt", "Answer."), region("response", "40 mg"))
    assert (annotation.completed_by, annotation.was_cancelled, annotation.parent_prediction) == (1, False, None)
    assert (prediction.result, prediction.model_version) == ((region("response", "30 mg"),), "m@1")


def test_skipped_tasks_are_asked_for_too(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    list(studio.tasks.annotated(4))

    [query] = double.asked[-1][2]["query"]
    assert "total_annotations" in query
    assert "cancelled_annotations" in query


def test_all_pages_are_read(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    double.add_project(5, questions=2 * PAGE_TASKS)
    double.submit_all(5)

    assert [task.id for task in studio.tasks.annotated(5)] == [task["id"] for task in double.projects[5]]


def test_a_page_that_went_away_meanwhile_ends_the_tasks(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    double.add_project(5, questions=PAGE_TASKS + 1)
    double.submit_all(5)
    tasks = studio.tasks.annotated(5)
    next(tasks)
    del double.projects[5][-1]

    assert len(list(tasks)) == PAGE_TASKS - 1


def test_a_legacy_token_is_sent_as_it_is(double: LabelStudioDouble, studio: LabelStudioClient) -> None:
    studio.projects.get(4)

    assert double.asked[-1][1] == "Token legacy"


@pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning")  # the SDK's own (2.1.2)
def test_a_personal_access_token_is_exchanged(double: LabelStudioDouble) -> None:
    LabelStudioClient(double.url, PERSONAL, retries=0).projects.get(4)

    assert [(path, sent) for path, sent, _ in double.asked] == [
        ("/api/token/refresh/", ""),
        ("/api/projects/4/", "Bearer fresh"),
    ]


LEGACY_OFF = {"detail": "Authentication token no longer valid: legacy token authentication has been disabled"}
REFUSALS = {
    "wrong key": ((401, {"detail": "Invalid token."}), Unauthorized, "set LABEL_STUDIO_API_KEY"),
    "legacy tokens off": ((401, LEGACY_OFF), Unauthorized, "personal access token"),
    "not allowed": ((403, {"detail": "No permission."}), Unauthorized, "No permission"),
    "not there": ((404, {"detail": "No Project matches."}), NotFound, "has no project 4"),
    "fails": ((500, {"detail": "oops"}), LabelStudioError, "answered 500 (oops)"),
    "no JSON": ((200, b"<html>"), LabelStudioError, "LABEL_STUDIO_URL"),
    "foreign JSON": ((200, {"hello": 1}), LabelStudioError, "LABEL_STUDIO_URL"),
    "an error page": ((502, b"<html>"), LabelStudioError, "answered 502"),
}


@pytest.mark.parametrize(("refusal", "kind", "told"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_says_what_to_do(
    double: LabelStudioDouble,
    studio: LabelStudioClient,
    refusal: tuple[int, object],
    kind: type[AnnotuneError],
    told: str,
) -> None:
    double.refusal = refusal

    with pytest.raises(kind, match=re.escape(told)):
        studio.projects.get(4)


def test_one_that_is_not_there_names_the_setting() -> None:
    with pytest.raises(LabelStudioError, match=r"is not reachable.*LABEL_STUDIO_URL"):
        LabelStudioClient(f"http://127.0.0.1:{free_port()}", "x", retries=0).projects.get(4)


def test_an_address_without_a_scheme_names_the_setting() -> None:
    with pytest.raises(LabelStudioError, match="set LABEL_STUDIO_URL"):
        LabelStudioClient("label-studio:8080", "x", retries=0).projects.get(4)


def test_one_that_does_not_answer_is_not_waited_for(double: LabelStudioDouble) -> None:
    released = threading.Event()
    double.delay = lambda: released.wait(5)

    with pytest.raises(LabelStudioError, match="did not answer in time"):
        LabelStudioClient(double.url, "x", timeout_s=0.2, retries=0).projects.get(4)

    released.set()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings(), "LABEL_STUDIO_URL is not set"),
        (Settings(label_studio_url="http://x"), "LABEL_STUDIO_API_KEY is not set"),
    ],
)
def test_missing_settings_are_named(settings: Settings, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        LabelStudioClient.from_settings(settings)


def test_settings_make_one(double: LabelStudioDouble) -> None:
    settings = Settings(label_studio_url=double.url, label_studio_api_key=SecretStr("legacy"))

    assert LabelStudioClient.from_settings(settings).projects.get(4).id == 4


VENDOR_ERRORS = [
    *(getattr(label_studio_sdk.errors, name)(body={}) for name in label_studio_sdk.errors.__all__),
    ApiError(),
    *(
        kind("x")
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, httpx.TransportError | httpx.InvalidURL | httpx.TooManyRedirects)
    ),
    httpx.StreamClosed(),
]


@pytest.mark.parametrize("error", VENDOR_ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_of_the_vendors_is_mapped(error: Exception) -> None:
    with (
        closing(LabelStudioConnection("http://label-studio", "legacy")) as connection,
        pytest.raises(AnnotuneError, match=r"Label Studio|LABEL_STUDIO"),
        connection.call("project 4"),
    ):
        raise error
