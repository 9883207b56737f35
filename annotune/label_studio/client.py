"""Label Studio by its own SDK: its tasks as they are now; predictions pushed.

Tasks come from the data manager's list, which has annotations and predictions with their regions. An export lacks the
predictions' regions and leaves a snapshot behind in Label Studio each time (1.23.2).
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core import ApiError, RequestOptions
from label_studio_sdk.core.pagination import SyncPager
from pydantic import ValidationError

from annotune.errors import ConfigurationError, LabelStudioError, LabelStudioUnreachable, NotFound, Unauthorized
from annotune.ids import ALL, after
from annotune.label_studio.rows import (
    BackendRow,
    PredictionRow,
    ProjectRow,
    TaskRow,
    read_predictions,
    read_task,
)
from annotune.labeling.prediction import Prediction, Region
from annotune.network import Network
from annotune.settings import Settings

TIMEOUT_S = 60.0
CALL_S = 600.0
RETRIES = 2
PAGE_TASKS = 200
# Ids go to Label Studio in the address, which web servers take up to about 4000 characters of.
RANGES = 12
_log = logging.getLogger(__name__)
# A cancelled annotation is a skip, which Label Studio does not count among a task's annotations.
_ANNOTATED = json.dumps(
    {
        "filters": {
            "conjunction": "or",
            "items": [
                {"filter": f"filter:tasks:{count}", "operator": "greater", "type": "Number", "value": 0}
                for count in ("total_annotations", "cancelled_annotations")
            ],
        }
    }
)


class LabelStudioClient:
    """One Label Studio. `client` is the SDK's, for what has no method here: use it inside `mapped()`."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        call_s: float = CALL_S,
        retries: int = RETRIES,
    ) -> None:
        """Connect when first used.

        A legacy token or a personal access token; the SDK tells them apart and refreshes the latter. Reading is tried
        again by the SDK, writing is not. A silence of `timeout_s` ends a call, and `call_s` in all, tries included.

        Raises:
            Unauthorized: a personal access token that has expired.
        """
        self.url = url.rstrip("/")
        self._reading = RequestOptions(max_retries=retries)
        self._call_s = call_s
        self._network = Network()
        # Packed, as a page of tasks may weigh megabytes.
        self._http = self._network.bind(httpx.Client(timeout=timeout_s, follow_redirects=True), packed=True)
        with self.mapped():
            self.client = LabelStudio(  # type: ignore[no-untyped-call]
                # The SDK joins the address of its token refresh to the part of the URL that ends in a slash.
                base_url=f"{self.url}/",
                api_key=api_key,
                timeout=timeout_s,
                max_retries=0,
                httpx_client=self._http,
            )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    @classmethod
    def from_settings(cls, settings: Settings, *, timeout_s: float = TIMEOUT_S) -> Self:
        """The Label Studio that the settings name; with a `timeout_s`, one that is asked little things.

        Raises:
            ConfigurationError: its address or the key is not set.
            Unauthorized: a personal access token that has expired.
        """
        if settings.label_studio_url is None:
            raise ConfigurationError("LABEL_STUDIO_URL is not set: set it to where Label Studio answers")
        if settings.label_studio_api_key is None:
            raise ConfigurationError(
                "LABEL_STUDIO_API_KEY is not set: set it to a personal access token (Label Studio: Account & Settings)"
            )
        call_s = CALL_S if timeout_s == TIMEOUT_S else timeout_s
        key = settings.label_studio_api_key.get_secret_value()
        return cls(settings.label_studio_url, key, timeout_s=timeout_s, call_s=call_s)

    def project(self, project: int) -> ProjectRow:
        """One project.

        Raises:
            NotFound: there is none of that id, or the key may not see it.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        with self.mapped(f"project {project}"):
            found = self.client.projects.get(id=project, request_options=self._reading)
            return ProjectRow.model_validate(found.dict())

    def backends(self, project: int) -> list[BackendRow]:
        """The ML backends of a project, each asked by Label Studio for its version now.

        Raises:
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        with self.mapped(f"project {project}"):
            found = self.client.ml.list(project=project, request_options=self._reading)
            return [BackendRow.model_validate(each.dict()) for each in found]

    def rename(self, project: int, backend: BackendRow, title: str) -> None:
        """Give a backend another title, and keep its first one as its description.

        Where the project's `model_version` is the former title, Label Studio lets it follow. A change is checked whole: what
        is left out counts as empty, and an empty password as the one that is kept (1.23.2).

        Raises:
            NotFound, LabelStudioError, Unauthorized: Label Studio refuses it, or does not reach the backend.
        """
        same: dict[str, Any] = {"project": project, "url": backend.url, "extra_params": backend.extra_params}
        if backend.auth_method:
            same["auth_method"] = backend.auth_method
        if backend.basic_auth_user:
            same |= {"basic_auth_user": backend.basic_auth_user, "basic_auth_pass": ""}
        with self.mapped(f"project {project}"):
            description = backend.description or backend.title
            self.client.ml.update(backend.id, title=title, description=description, **same)

    def show(self, project: int, model_version: str) -> None:
        """Let a project show the predictions of a backend, by its title.

        Raises:
            NotFound, LabelStudioError, Unauthorized: Label Studio refuses it.
        """
        with self.mapped(f"project {project}"):
            self.client.projects.update(project, model_version=model_version)

    def tasks(self, project: int) -> Iterator[TaskRow]:
        """All tasks of a project that somebody annotated or skipped, page by page; each once.

        Raises:
            NotFound: there is no such project, or the key may not see it.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        seen: set[int] = set()
        page, total = 1, 1
        while (page - 1) * PAGE_TASKS < total:
            tasks, total = self._page(project, page, _ANNOTATED)
            yield from (task for task in tasks if task.id not in seen)
            seen |= {task.id for task in tasks}
            page += 1

    def tasks_by_id(self, project: int, ids: Sequence[range] = ALL) -> Iterator[TaskRow]:
        """The tasks of a project with these ids, in their order, annotated or not; a page is read when it is reached.

        Each page is asked for by the ids after the last one, so that what is deleted meanwhile shifts none out of sight.

        Raises:
            NotFound: there is no such project, or the key may not see it.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        for start in range(0, len(ids), RANGES):
            left = tuple(ids[start : start + RANGES])
            while left:
                tasks, total = self._page(project, 1, _with_ids(left))
                yield from tasks
                left = after(left, tasks[-1].id) if len(tasks) < total and tasks else ()

    def count_tasks(self, project: int, ids: Sequence[range] = ALL) -> int:
        """How many tasks of a project have these ids. Raises as `tasks_by_id`."""
        parts = [ids[start : start + RANGES] for start in range(0, len(ids), RANGES)]
        return sum(self._page(project, 1, _with_ids(part), 1)[1] for part in parts)

    def predictions(self, task: int) -> tuple[PredictionRow, ...]:
        """What is stored for a task at this moment. Reading the task itself could make Label Studio fetch one (1.23.2).

        Raises:
            LabelStudioUnreachable: there was no connection, or it broke.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        with self.mapped(f"task {task}"):
            found = self.client.predictions.list(task=task, request_options=self._reading)
            return read_predictions(list(found))

    def push(self, task: int, prediction: Prediction) -> None:
        """Store a prediction, once: a try that failed may have stored it, so that another could store two.

        Raises:
            NotFound: there is no such task, or the key may not see it.
            LabelStudioUnreachable: there was no connection, or it broke.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        with self.mapped(f"task {task}"):
            self.client.predictions.create(task=task, **prediction.as_dict())

    def rewrite(self, task: int, prediction: int, regions: Sequence[Region]) -> None:
        """Give a stored prediction of a task other regions; its score and its version stay (1.23.2). Again does no harm.

        Raises:
            NotFound: there is no such prediction any more, or the key may not see it.
            LabelStudioUnreachable: there was no connection, or it broke.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        """
        with self.mapped(f"prediction {prediction}"):
            # With the task: where Label Studio validates predictions, it looks there for the labeling config.
            self.client.predictions.update(prediction, task=task, result=list(regions), request_options=self._reading)

    def _page(self, project: int, page: int, query: str, size: int = PAGE_TASKS) -> tuple[list[TaskRow], int]:
        with self.mapped(f"project {project}"):
            try:
                found: SyncPager[Any, Any] = self.client.tasks.list(
                    project=project,
                    fields="all",
                    query=query,
                    page=page,
                    page_size=size,
                    request_options=self._reading,
                )
            except ApiError as error:
                if page > 1 and error.status_code == httpx.codes.NOT_FOUND:  # deleted since the page before
                    return [], 0
                raise
            total, rows = found.response.total if found.response else 0, found.items or []
            if not isinstance(total, int):
                raise ValueError("the list has no total")  # noqa: TRY004 - mapped below
        tasks = [task for task in map(read_task, rows) if task]
        if len(tasks) < len(rows):
            _log.warning("project %d: %d tasks have no id, and are left out", project, len(rows) - len(tasks))
        return tasks, total

    @contextmanager
    def mapped(self, what: str = "what was asked for") -> Iterator[None]:
        """One call: the SDK's and httpx's errors become ours; `what` is named where it is not found."""
        where = f"Label Studio at {self.url}"
        try:
            with self._network.call(self._call_s):
                yield
        except ApiError as error:
            raise _refusal(where, what, error) from error
        except httpx.TimeoutException as error:
            raise LabelStudioError(f"{where} did not answer in time; try again") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise LabelStudioError(f"{self.url!r} is no address: set LABEL_STUDIO_URL to one with http://") from error
        except httpx.TransportError as error:
            raise LabelStudioUnreachable(f"{where} is not reachable: start it, or fix LABEL_STUDIO_URL") from error
        except (httpx.HTTPError, httpx.StreamError, ValidationError, ValueError) as error:
            raise LabelStudioError(
                f"{where} did not answer as Label Studio does: is LABEL_STUDIO_URL right?"
            ) from error


def _with_ids(ids: Sequence[range]) -> str:
    """The data manager's query for tasks of these ids, the smallest first."""
    items = [
        {
            "filter": "filter:tasks:id",
            "operator": "in",
            "type": "Number",
            "value": {"min": part.start, "max": part.stop - 1},
        }
        for part in ids
    ]
    return json.dumps({"filters": {"conjunction": "or", "items": items}, "ordering": ["tasks:id"]})


def _refusal(where: str, what: str, error: ApiError) -> Exception:
    status = error.status_code
    if status == httpx.codes.UNAUTHORIZED:
        if "legacy" in str(error.body).lower():
            return Unauthorized(
                f"{where} takes no legacy tokens: set LABEL_STUDIO_API_KEY to a personal access token"
                " (Account & Settings), or switch legacy tokens on for the organization"
            )
        return Unauthorized(f"{where} refused the key: set LABEL_STUDIO_API_KEY to one that is valid there")
    if status == httpx.codes.FORBIDDEN:
        return Unauthorized(
            f"{where} forbids it{_detail(error)}: LABEL_STUDIO_API_KEY is of a user who may not see or change {what}"
        )
    if status == httpx.codes.NOT_FOUND:
        return NotFound(
            f"{where} has no {what}, or the user of LABEL_STUDIO_API_KEY may not see it: check the number and the key"
        )
    if status is not None and httpx.codes.is_success(status):
        return LabelStudioError(f"{where} did not answer as Label Studio does: is LABEL_STUDIO_URL right?")
    return LabelStudioError(f"{where} answered {status or 'with an error'}{_detail(error)}")


def _detail(error: ApiError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    detail = body.get("validation_errors") or body.get("detail")
    return f" ({str(detail)[:200]})" if detail else ""
