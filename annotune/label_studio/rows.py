"""Label Studio's rows as frozen types.

A project's, a backend's or a webhook's row is parsed whole. Of a task, each annotation and prediction is parsed by itself,
so an odd one costs no other.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError


def _user(value: object) -> object:
    """A user's id, given as the id or as the whole user; None for anything else."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, int) else None


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Regions = Annotated[tuple[dict[str, Any], ...], BeforeValidator(lambda value: [] if value is None else value)]
User = Annotated[int | None, BeforeValidator(_user)]
Moment = Annotated[datetime, AfterValidator(_aware)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ProjectRow(_Row):
    """A project and its labeling config.

    `model_version` names whose predictions Label Studio shows: the title of a backend, or a version; or it is empty.
    `evaluate_predictions_automatically`: a list of its tasks makes Label Studio (1.23.2) first fetch predictions for those
    that have none. `task_number` counts its tasks, `num_tasks_with_annotations` those that somebody annotated;
    a task of which only a ground truth is there does not count (1.23.2).
    """

    id: int
    title: str
    label_config: str
    model_version: Text = ""
    evaluate_predictions_automatically: bool = False
    task_number: Annotated[int, BeforeValidator(lambda value: value or 0)] = 0
    num_tasks_with_annotations: Annotated[int, BeforeValidator(lambda value: value or 0)] = 0


class UserRow(_Row):
    """A user. `name` is the first and the last name, either of which may be missing."""

    id: int
    email: Text = ""
    first_name: Text = ""
    last_name: Text = ""

    @property
    def name(self) -> str:
        """The user's name, or the e-mail if there is none."""
        return f"{self.first_name} {self.last_name}".strip() or self.email


class BackendSettings(_Row):
    """What connects an ML backend. `auth_method` is `NONE` or `BASIC_AUTH`."""

    url: str
    is_interactive: bool = False
    auth_method: str | None = None
    basic_auth_user: str | None = None


class BackendRow(BackendSettings):
    """An ML backend of a project. `model_version` is what it answered last; no answer shows its password."""

    id: int
    title: Text = ""
    description: Text = ""
    state: Text = ""
    error_message: Text = ""
    model_version: Text = ""
    extra_params: Any = None

    @property
    def is_connected(self) -> bool:
        """Whether Label Studio reached it when it was last asked."""
        return self.state == "CO"


class WebhookSettings(_Row):
    """What a webhook sends: events of `actions`, or of all actions, with `headers`."""

    url: str
    headers: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
    actions: Annotated[frozenset[str], BeforeValidator(lambda value: [] if value is None else value)]
    send_for_all_actions: bool
    send_payload: bool
    is_active: bool


class WebhookRow(WebhookSettings):
    """A webhook of a project."""

    id: int


class AnnotationRow(_Row):
    """What a person submitted, or skipped (`was_cancelled`). `parent_prediction` is the one that it was made from.

    `ground_truth`: a person marked it as the one that is right.
    """

    id: int
    result: Regions
    was_cancelled: bool = False
    ground_truth: Annotated[bool, BeforeValidator(bool)] = False
    created_at: Moment
    updated_at: Moment
    completed_by: User = None
    parent_prediction: int | None = None


class PredictionRow(_Row):
    """What a model answered and Label Studio stored. `readable` is False where its answer cannot be parsed."""

    id: int
    result: Regions
    model_version: str | None = None
    readable: bool = True


class TaskRow(_Row):
    """A task with its annotations and predictions. `unreadable` counts annotations that cannot be parsed."""

    id: int
    data: dict[str, Any]
    annotations: tuple[AnnotationRow, ...] = ()
    predictions: tuple[PredictionRow, ...] = ()
    unreadable: int = 0

    @property
    def is_odd(self) -> bool:
        """Whether something of it cannot be parsed."""
        return bool(self.unreadable) or not all(prediction.readable for prediction in self.predictions)


class ListedTask(_Row):
    """A task's id and data."""

    id: int
    data: dict[str, Any]


class TouchedTask(_Row):
    """Whether a person annotated or skipped a task, or began with it (a draft), and the ids of its predictions."""

    id: int
    touched: bool
    predictions: tuple[int, ...]


def read_listed(row: object) -> ListedTask | None:
    """A task of the data manager's list; None where it has no id. Data that cannot be parsed counts as none."""
    number, data = _get(row, "id"), _get(row, "data")
    return ListedTask(id=number, data=data if isinstance(data, dict) else {}) if isinstance(number, int) else None


def read_touched(row: object) -> TouchedTask | None:
    """A task of the data manager's list; None where it has no id. A count that is missing counts as touched."""
    number = _get(row, "id")
    if not isinstance(number, int):
        return None
    counts = [_get(row, name) for name in ("total_annotations", "cancelled_annotations")]
    predictions = read_predictions(_rows_of(_get(row, "predictions")))
    return TouchedTask(
        id=number,
        touched=any(count != 0 for count in counts) or _get(row, "draft_exists") is not False,
        predictions=tuple(prediction.id for prediction in predictions),
    )


def read_task(row: object) -> TaskRow | None:
    """A task of the data manager's list; None where it has no id.

    Where its data cannot be parsed, nothing tells what its annotations are about: they count as unreadable.
    """
    number = _get(row, "id")
    if not isinstance(number, int):
        return None
    data = _get(row, "data")
    rows = _rows_of(_get(row, "annotations"))
    parsed = [_parse(AnnotationRow, each) for each in rows] if isinstance(data, dict) else []
    annotations = tuple(annotation for annotation in parsed if annotation)
    return TaskRow(
        id=number,
        data=data if isinstance(data, dict) else {},
        annotations=annotations,
        predictions=read_predictions(_rows_of(_get(row, "predictions"))),
        unreadable=len(rows) - len(annotations),
    )


def read_predictions(rows: list[object]) -> tuple[PredictionRow, ...]:
    """Stored predictions. One without an id is left out: no annotation can have been made from it."""
    return tuple(filter(None, map(_prediction, rows)))


def _prediction(row: object) -> PredictionRow | None:
    number, version = _get(row, "id"), _get(row, "model_version")
    if not isinstance(number, int):
        return None
    unreadable = PredictionRow(
        id=number, result=(), model_version=version if isinstance(version, str) else None, readable=False
    )
    return _parse(PredictionRow, row) or unreadable


Row = TypeVar("Row", bound=_Row)


def _parse(kind: type[Row], row: object) -> Row | None:
    try:
        return kind.model_validate(_plain(row))
    except ValidationError:
        return None


def _plain(row: object) -> object:
    """The SDK (2.1.2) makes objects of some rows, unchecked, and leaves others as they came."""
    return dict(row) if isinstance(row, BaseModel) else row


def _get(row: object, name: str) -> object:
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)


def _rows_of(value: object) -> list[object]:
    """A list's rows. Anything else counts as one row, which cannot be parsed."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
