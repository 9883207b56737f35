"""What a person at a terminal sees: nothing that people, models or Label Studio wrote can style it or steer the terminal.

All commands print by what is here; a test refuses any other way.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

CELL_SHOWN = 100
AS_LONG_AS_IT_IS = 1_000_000  # columns of a pipe
# Control characters but tab and newline, what breaks or turns lines (U+2028, bidirectional overrides), half characters.
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
F = TypeVar("F", bound=Callable[..., Any])


def shown(text: str) -> str:
    r"""A text as a terminal may have it: what would steer it is spelled out, as `\u001b`, which JSON understands too."""
    return _STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


def first_line(text: str) -> str:
    """The beginning of a text, for a line or a table's cell."""
    first, *rest = text.strip().splitlines() or [""]
    return first[:CELL_SHOWN] + (" ..." if rest or len(first) > CELL_SHOWN else "")


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text and a newline to standard output, or to standard error."""
    click.echo(shown(text), err=err)


def say_raw(text: str) -> None:
    """Print what may be the input of another command, exactly as it is; a terminal gets it as by `say`."""
    click.echo(shown(text) if sys.stdout.isatty() else text, color=True)


def say_json(rows: Sequence[Mapping[str, object]]) -> None:
    """Print a list of JSON objects, one a line."""
    lines = [shown(json.dumps(row, ensure_ascii=False)) for row in rows]
    click.echo("[" + ",\n ".join(lines) + "]")


def json_option(command: F) -> F:
    """The option of a command that prints a table: `as_json`."""
    decorate: Callable[[F], F] = click.option(
        "--json", "as_json", is_flag=True, help="Print a list of JSON objects instead."
    )
    return decorate(command)


class PlainConsole(Console):
    """Prints texts as they are: no markup, no emoji codes, nothing that steers the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Called for each text that is printed, a table's cells too."""
        return super().render_str(shown(text), **options)


def console() -> PlainConsole:
    """Standard output; a pipe gets lines as long as they are."""
    made = PlainConsole()
    return made if made.is_terminal else PlainConsole(width=AS_LONG_AS_IT_IS)


def table_of(*titles: str, lines: bool = False) -> Table:
    """An empty table; without titles it has no header. `lines` parts its rows."""
    table = Table(show_lines=True) if lines else Table(box=None, pad_edge=False, show_header=bool(titles))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def say_table(to: Console, table: Table) -> None:
    """Print a table, without blanks at the ends of its lines."""
    with to.capture() as captured:
        to.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
