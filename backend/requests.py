"""What Label Studio (1.23) sends, parsed into types at the door. Keys that we do not use are ignored, and so never kept."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from annotune.errors import RequestInvalid
from annotune.labeling.prediction import Region

MAX_TASKS = 50_000  # of Label Studio's own size, 16 MB hold half as many
MAX_ID = 2**63 - 1


def _project(value: object) -> object:
    """`4.1795359701` is project 4, made at that second."""
    if isinstance(value, bool | float):
        raise ValueError("a project is a number such as 4, or a text such as '4.1795359701'")  # noqa: TRY004 - pydantic's
    return value.partition(".")[0] if isinstance(value, str) else value


def _listed(value: object) -> object:
    """Label Studio sends one, a list of them, or nothing."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _parameters(value: object) -> object:
    """JSON in a text is JSON; an empty text is what an empty form field becomes."""
    if not isinstance(value, str):
        return value
    return from_json(value) if value.strip() else None


def _not_too_many(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_TASKS:
        raise ValueError(f"{len(value)} tasks, of at most {MAX_TASKS}")
    return value


def _regions_of_each(value: object) -> object:
    """The regions of each stored prediction; what is no list of regions came from elsewhere, and is nothing to us."""
    entries = value if isinstance(value, list) else []
    results = [entry.get("result") for entry in entries if isinstance(entry, dict)]
    return tuple(tuple(_dicts(result)) for result in results if isinstance(result, list))


def _dicts(items: Iterable[object]) -> Iterable[Region]:
    return (item for item in items if isinstance(item, dict))


def _regions(value: object) -> object:
    return () if value is None else value


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Id = Annotated[int, Field(ge=0, le=MAX_ID)]
ProjectId = Annotated[Id, BeforeValidator(_project)]
Regions = Annotated[tuple[Region, ...], BeforeValidator(_regions)]
_PROJECT: TypeAdapter[int] = TypeAdapter(ProjectId)


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class BodyInvalid(RequestInvalid):
    """A body that does not fit. `project` is the one that it names and `tasks` counts its tasks, where it tells."""

    def __init__(self, message: str, values: object) -> None:
        super().__init__(message)
        told = values if isinstance(values, dict) else {}
        tasks = told.get("tasks")
        self.tasks = len(tasks) if isinstance(tasks, list) else None
        try:
            self.project: int | None = _PROJECT.validate_python(told.get("project"))
        except ValidationError:
            self.project = None


class Setup(Body):
    """`POST /setup`. `extra_params` is what a person gave the backend in Label Studio."""

    project: ProjectId
    label_config: str = Field(alias="schema")
    extra_params: Annotated[dict[str, Any] | None, BeforeValidator(_parameters)] = None


class Task(Body):
    """One task. `predictions` holds the regions of each prediction that Label Studio keeps for it."""

    id: Id
    data: dict[str, Any]
    predictions: Annotated[tuple[tuple[Region, ...], ...], BeforeValidator(_regions_of_each)] = ()


class Context(Body):
    """The regions that are on the annotator's screen."""

    result: tuple[Region, ...]


class Params(Body):
    """`context` is null for a batch or an opened task."""

    context: Context | None = None


class Predict(Body):
    """`POST /predict`."""

    tasks: Annotated[tuple[Task, ...], BeforeValidator(_not_too_many)]
    project: ProjectId
    label_config: str
    params: Params = Params()


class Source(Body):
    """The prediction that an annotation was made from; mostly empty."""

    result: Regions = ()


class Annotation(Body):
    """An annotation as an event tells of it. `parent_prediction` is the id of the prediction it was made from."""

    id: Id
    task: Id | None = None
    result: Regions = ()
    was_cancelled: bool = False
    updated_at: Annotated[datetime, AfterValidator(_aware)] | None = None
    parent_prediction: Id | None = None
    prediction: Source | None = None


class Project(Body):
    """The project that an event is about; Label Studio sends its tokens along, which are not read."""

    id: Id
    label_config: str | None = None


class Event(Body):
    """`POST /webhook`. `project` is missing where the webhook was set to send no payload."""

    action: str = Field(min_length=1, max_length=100)
    project: Project | None = None
    annotation: Annotated[tuple[Annotation, ...], BeforeValidator(_listed)] = ()


Parsed = TypeVar("Parsed", bound=Body)
# A backslash that stands for itself, a surrogate pair, and (the group) half of one.
_ESCAPED = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def _values(body: bytes) -> object:
    """A body's JSON. Half a surrogate pair, as one task may hold, is read as a browser shows it. Raises ValueError."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        whole = bytearray(body)
        for match in _ESCAPED.finditer(body):
            if match[1]:
                whole[match.start() : match.end()] = rb"\ufffd"
        return from_json(bytes(whole), allow_inf_nan=False)


def parse(kind: type[Parsed], body: bytes) -> Parsed:
    """Parse a request's body.

    JSON becomes Python's own values first, and those are not copied again: pydantic's own reading of JSON takes up to four
    times as much memory for what is ignored. NaN and Infinity are no JSON, though many parsers take them.

    Raises:
        RequestInvalid: it is empty, no JSON, too deep or no object.
        BodyInvalid: a field is missing or of a wrong type; the message names it and never shows its value.
    """
    if not body.strip():
        raise RequestInvalid("the body is empty: send a JSON object")
    try:
        values = _values(body)
    except ValueError as error:
        raise RequestInvalid(f"the body is no JSON that can be read ({error}): send a JSON object") from None
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if not first["loc"]:
        raise RequestInvalid("the body is no JSON object: send one, as Label Studio 1.23 does")
    field = ".".join(str(part) for part in first["loc"])
    raise BodyInvalid(
        f"the field {field!r} is wrong ({first['msg'].removeprefix('Value error, ')}): send it as Label Studio 1.23 does",
        values,
    )
