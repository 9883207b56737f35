"""Label Studio's rows as it has them, parsed into frozen types at the door: what one holds that is odd costs no other."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError


def _user(value: object) -> object:
    """An id, or the user whole; of anything else nobody knows who it is."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, int) else None


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Regions = Annotated[tuple[dict[str, Any], ...], BeforeValidator(lambda value: [] if value is None else value)]
User = Annotated[int | None, BeforeValidator(_user)]
Moment = Annotated[datetime, AfterValidator(_aware)]


class _Parsed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ProjectRow(_Parsed):
    """A project and its labeling config.

    `model_version` tells whose predictions Label Studio shows: it is the title of a backend, or a version; or nothing.
    `evaluate_predictions_automatically`: a list of its tasks makes Label Studio (1.23.2) first fetch predictions for those
    that have none.
    """

    id: int
    title: str
    label_config: str
    model_version: str | None = ""
    evaluate_predictions_automatically: bool = False


class BackendRow(_Parsed):
    """An ML backend of a project. `model_version` is what it told last; its password is never shown."""

    id: int
    url: str
    title: str
    description: str | None = None
    model_version: str | None = None
    auth_method: str | None = None
    basic_auth_user: str | None = None
    extra_params: Any = None


class AnnotationRow(_Parsed):
    """What a person submitted, or skipped (`was_cancelled`). `parent_prediction` is the one that it was made from."""

    id: int
    result: Regions
    was_cancelled: bool = False
    created_at: Moment
    updated_at: Moment
    completed_by: User = None
    parent_prediction: int | None = None


class PredictionRow(_Parsed):
    """What a model answered and Label Studio stored. `readable` is False where nobody can tell what it answered."""

    id: int
    result: Regions
    model_version: str | None = None
    readable: bool = True


class TaskRow(_Parsed):
    """A task with what people and models made of it. `unreadable` counts annotations that are not among its own."""

    id: int
    data: dict[str, Any]
    annotations: tuple[AnnotationRow, ...] = ()
    predictions: tuple[PredictionRow, ...] = ()
    unreadable: int = 0

    @property
    def is_odd(self) -> bool:
        """Whether something of it could not be read."""
        return bool(self.unreadable) or not all(prediction.readable for prediction in self.predictions)


def read_task(row: object) -> TaskRow | None:
    """A task of the data manager's list; None where it has no id.

    Without data that can be read nobody knows what its annotations are about, so that they count as unreadable.
    """
    number = _get(row, "id")
    if not isinstance(number, int):
        return None
    data = _get(row, "data")
    rows = _listed(_get(row, "annotations"))
    read = [_read(AnnotationRow, each) for each in rows] if isinstance(data, dict) else []
    annotations = tuple(annotation for annotation in read if annotation)
    return TaskRow(
        id=number,
        data=data if isinstance(data, dict) else {},
        annotations=annotations,
        predictions=read_predictions(_listed(_get(row, "predictions"))),
        unreadable=len(rows) - len(annotations),
    )


def read_predictions(rows: list[object]) -> tuple[PredictionRow, ...]:
    """Stored predictions; one without an id is left out, since no annotation can have been made from it."""
    return tuple(filter(None, map(_prediction, rows)))


def _prediction(row: object) -> PredictionRow | None:
    number, version = _get(row, "id"), _get(row, "model_version")
    if not isinstance(number, int):
        return None
    odd = PredictionRow(
        id=number, result=(), model_version=version if isinstance(version, str) else None, readable=False
    )
    return _read(PredictionRow, row) or odd


Row = TypeVar("Row", bound=_Parsed)


def _read(kind: type[Row], row: object) -> Row | None:
    try:
        return kind.model_validate(_plain(row))
    except ValidationError:
        return None


def _plain(row: object) -> object:
    """The SDK (2.1.2) makes objects of some rows, unchecked, and leaves others as they came."""
    return dict(row) if isinstance(row, BaseModel) else row


def _get(row: object, name: str) -> object:
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)


def _listed(rows: object) -> list[object]:
    """What is no list is one row, which cannot be read."""
    return [] if rows is None else list(rows) if isinstance(rows, list | tuple) else [rows]
