"""Rows of a source as tasks of a project: which column goes into which field, and what makes a row the same as a task."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from annotune.errors import RequestInvalid
from annotune.labeling.fields import ShownFields
from curation.lineage import SOURCE, SOURCE_ANNOTATION, SOURCE_PROJECT, SOURCE_TASK
from curation.sources.row import RowUnreadable, SourceRow, json_value

# Fields by which Annotune's tasks tell what they were made from: a column that only happens to be named so tells nothing.
LINEAGE = frozenset({SOURCE, SOURCE_PROJECT, SOURCE_TASK, SOURCE_ANNOTATION})
COLUMNS_SHOWN = 30
EMPTY: tuple[object, ...] = (None, "", [], {})
ANNOTATION_KEYS = ("was_cancelled", "lead_time", "completed_by")
PREDICTION_KEYS = ("score", "model_version")


@dataclass(frozen=True)
class NewTask:
    """A task to import, and the key that no other task of the project has."""

    key: bytes
    body: Mapping[str, Any]


@dataclass(frozen=True)
class RowMapping:
    """How rows become tasks of one project.

    `columns` maps fields to the columns that they are filled from; all other columns keep their names. `key` is the field
    that tells tasks apart; empty: what the page shows does. `left_out` are columns that no task gets.
    """

    shown: ShownFields
    columns: Mapping[str, str]
    key: str = ""
    left_out: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, shown: ShownFields, columns: Mapping[str, str], key: str, sample: Iterable[SourceRow], where: str
    ) -> Self:
        """The mapping of a source whose first rows are `sample`; `where` names the source and the project.

        Raises:
            RequestInvalid: the sample lacks a column that the page shows or that `columns` names. The message has those
                that are there.
        """
        there = list(dict.fromkeys(name for row in sample if not row.bad for name in row.data))
        if there:
            unknown = [column for column in columns.values() if column not in there]
            if unknown:
                raise RequestInvalid(f"{where}: there is no column {unknown[0]!r}; {_listed(there)}")
            fields = {*columns, *(name for name in there if name not in columns.values())}
            missing = [name for name in shown.names if name not in fields]
            if missing:
                spare = next((name for name in there if name not in LINEAGE.union(shown.names)), there[0])
                raise RequestInvalid(
                    f"{where}: the page shows {', '.join(missing)}, and no column has that name; {_listed(there)}: say which"
                    f" one it is, as in --map {missing[0]}={spare}"
                )
        field = next((name for name, column in columns.items() if column == key), key)
        foreign = LINEAGE.intersection(there) - set(shown.names) - set(columns.values()) - set(columns)
        return cls(shown, dict(columns), field, frozenset(foreign))

    def task(self, row: SourceRow) -> NewTask:
        """A row as a task.

        Raises:
            RowUnreadable: it can be none; the message is the reason.
        """
        if row.bad:
            raise RowUnreadable(row.bad)
        data = self._data(row)
        body: dict[str, Any] = {"data": data}
        if row.annotations:
            body["annotations"] = [_annotation(each) for each in row.annotations]
        if row.predictions:
            body["predictions"] = [_with_result(each, PREDICTION_KEYS, "prediction") for each in row.predictions]
        return NewTask(self.key_of(data), body)

    def key_of(self, data: Mapping[str, Any]) -> bytes:
        """What makes a task the same as another one: its id where the source has one, else what the page shows of it."""
        if self.key and data.get(self.key) is not None:
            return _digest([self.key, str(data[self.key])])
        names = sorted(self.shown.names) or sorted(data)
        return _digest([[name, "" if data.get(name) is None else data[name]] for name in names])

    def _data(self, row: SourceRow) -> dict[str, Any]:
        sources = set(self.columns.values())
        data = {name: value for name, value in row.data.items() if name not in sources and name not in self.left_out}
        for field, column in self.columns.items():
            data[field] = row.data.get(column)
        for name in self.shown.names:
            if name in self.shown.labelled and _is_empty(data.get(name)):
                raise RowUnreadable(f"has no {name}")
            if data.get(name) is None:  # Label Studio refuses a task without it
                data[name] = ""
        return data


def _is_empty(value: object) -> bool:
    return value in EMPTY or (isinstance(value, str) and not value.strip())


def _annotation(annotation: Mapping[str, Any]) -> dict[str, Any]:
    made = _with_result(annotation, ANNOTATION_KEYS, "annotation")
    return made | {"ground_truth": annotation.get("ground_truth") is True}


def _with_result(given: Mapping[str, Any], keys: Iterable[str], what: str) -> dict[str, Any]:
    """The regions and the keys of an annotation or a prediction. Ids and times are those of another Label Studio."""
    result = given.get("result")
    if not isinstance(result, list) or not all(isinstance(region, Mapping) for region in result):
        raise RowUnreadable(
            f"has an {what} without a list of regions" if what[0] == "a" else f"has a {what} without regions"
        )
    kept = {key: given[key] for key in keys if given.get(key) is not None}
    made: dict[str, Any] = json_value({"result": result} | kept)
    return made


def _digest(value: object) -> bytes:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:16]


def _listed(columns: list[str]) -> str:
    more = f" and {len(columns) - COLUMNS_SHOWN} more" if len(columns) > COLUMNS_SHOWN else ""
    return f"its columns are {', '.join(columns[:COLUMNS_SHOWN])}{more}"
