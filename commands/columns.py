"""The option `--map`, which says which column of a source holds what."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Column(click.ParamType[tuple[str, str]]):
    """`question=Q`: the field, and the column that it is filled from."""

    name = "field=column"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        field, mark, column = str(value).partition("=")
        if not (field and mark and column):
            self.fail(f"{value!r} maps nothing: write FIELD=COLUMN, such as question=Q", param, ctx)
        return field, column


def columns_option(command: F) -> F:
    """The option `--map FIELD=COLUMN`, which may be given several times. The argument is `columns`, by field."""
    decorate: Callable[[F], F] = click.option(
        "--map",
        "columns",
        multiple=True,
        type=Column(),
        callback=_by_field,
        help="Fill a field from the column of another name, as question=Q.",
    )
    return decorate(command)


def _by_field(_: click.Context, __: click.Parameter, columns: Sequence[tuple[str, str]]) -> dict[str, str]:
    return dict(columns)
