"""The bodies that Label Studio (1.23) sends, as types. Keys that are not declared here are ignored, and never stored."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from annotune.errors import RequestInvalid
from annotune.labeling.prediction import Region

MAX_TASKS = 50_000  # a body of 16 MB holds half as many tasks as Label Studio sends them
MAX_ID = 2**63 - 1


def _project_number(value: object) -> object:
    """The id in Label Studio's project text: `4.1795359701` is project 4, created at that Unix time."""
    if isinstance(value, bool | float):
        raise ValueError("a project is a number such as 4, or a text such as '4.1795359701'")  # noqa: TRY004 - pydantic expects it
    return value.partition(".")[0] if isinstance(value, str) else value


def _as_list(value: object) -> object:
    """A list: Label Studio sends one item, a list of items, or nothing."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _from_json_text(value: object) -> object:
    """The JSON in a text. An empty form field is an empty text, and counts as None."""
    if not isinstance(value, str):
        return value
    return from_json(value) if value.strip() else None


def _limit_tasks(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_TASKS:
        raise ValueError(f"{len(value)} tasks, of at most {MAX_TASKS}")
    return value


def _prediction_regions(value: object) -> object:
    """The regions of each stored prediction. Predictions of other programs may have no list of regions; they are ignored."""
    entries = value if isinstance(value, list) else []
    results = [entry.get("result") for entry in entries if isinstance(entry, dict)]
    return tuple(tuple(_dicts(result)) for result in results if isinstance(result, list))


def _dicts(items: Iterable[object]) -> Iterable[Region]:
    return (item for item in items if isinstance(item, dict))


def _none_to_empty(value: object) -> object:
    return () if value is None else value


def _with_timezone(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Id = Annotated[int, Field(ge=0, le=MAX_ID)]
ProjectId = Annotated[Id, BeforeValidator(_project_number)]
Regions = Annotated[tuple[Region, ...], BeforeValidator(_none_to_empty)]
_PROJECT_ID: TypeAdapter[int] = TypeAdapter(ProjectId)


class Body(BaseModel):
    """A request's body, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BodyInvalid(RequestInvalid):
    """A body that does not fit its type. `project` and `tasks` (a count) are what it names, or None."""

    def __init__(self, message: str, values: object) -> None:
        super().__init__(message)
        fields = values if isinstance(values, dict) else {}
        tasks = fields.get("tasks")
        self.tasks = len(tasks) if isinstance(tasks, list) else None
        try:
            self.project: int | None = _PROJECT_ID.validate_python(fields.get("project"))
        except ValidationError:
            self.project = None


class Setup(Body):
    """`POST /setup`. `extra_params` are the parameters that a person typed in Label Studio's model settings."""

    project: ProjectId
    label_config: str = Field(alias="schema")
    extra_params: Annotated[dict[str, Any] | None, BeforeValidator(_from_json_text)] = None


class Task(Body):
    """One task. `predictions` has the regions of each prediction that Label Studio has stored for it."""

    id: Id
    data: dict[str, Any]
    predictions: Annotated[tuple[tuple[Region, ...], ...], BeforeValidator(_prediction_regions)] = ()


class Context(Body):
    """The regions in the annotator's editor."""

    result: tuple[Region, ...]


class Params(Body):
    """`context` is None for a batch, and when a task is opened."""

    context: Context | None = None


class Predict(Body):
    """`POST /predict`."""

    tasks: Annotated[tuple[Task, ...], BeforeValidator(_limit_tasks)]
    project: ProjectId
    label_config: str
    params: Params = Params()


class Source(Body):
    """The prediction that an annotation was made from. Label Studio mostly leaves it empty."""

    result: Regions = ()


class Annotation(Body):
    """An annotation in an event. `parent_prediction` is the id of the prediction that it was made from."""

    id: Id
    task: Id | None = None
    result: Regions = ()
    was_cancelled: bool = False
    updated_at: Annotated[datetime, AfterValidator(_with_timezone)] | None = None
    parent_prediction: Id | None = None
    prediction: Source | None = None


class Project(Body):
    """The project of an event. Label Studio sends its tokens too; they are not read."""

    id: Id
    label_config: str | None = None


class Event(Body):
    """`POST /webhook`. `project` is None if the webhook is set to send no payload."""

    action: str = Field(min_length=1, max_length=100)
    project: Project | None = None
    annotation: Annotated[tuple[Annotation, ...], BeforeValidator(_as_list)] = ()


Parsed = TypeVar("Parsed", bound=Body)
# Matches an escaped backslash, a surrogate pair, or (in the group) half of a pair.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def _from_json(body: bytes) -> object:
    """The values of a JSON body. Half a surrogate pair, which a task may hold, becomes U+FFFD, as in a browser.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        repaired = bytearray(body)
        for match in _ESCAPES.finditer(body):
            if match[1]:
                repaired[match.start() : match.end()] = rb"\ufffd"
        return from_json(bytes(repaired), allow_inf_nan=False)


def parse(kind: type[Parsed], body: bytes) -> Parsed:
    """Parse a request's body.

    The JSON becomes Python values first. pydantic's own JSON parser would take up to four times as much memory for the keys
    that are ignored. NaN and Infinity are refused: they are no JSON, though many parsers accept them.

    Raises:
        RequestInvalid: the body is empty, no JSON, too deep or no object.
        BodyInvalid: a field is missing or of a wrong type. The message names the field and never shows its value.
    """
    if not body.strip():
        raise RequestInvalid("the body is empty: send a JSON object")
    try:
        values = _from_json(body)
    except ValueError as error:
        raise RequestInvalid(f"the body is not valid JSON ({error}): send a JSON object") from None
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if not first["loc"]:
        raise RequestInvalid("the body is no JSON object: send one, as Label Studio 1.23 does")
    field = ".".join(map(str, first["loc"]))
    raise BodyInvalid(
        f"the field {field!r} is wrong ({first['msg'].removeprefix('Value error, ')}): send it as Label Studio 1.23 does",
        values,
    )
