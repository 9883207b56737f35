"""Output to a terminal or a pipe. No text of people, models or Label Studio can style the output or control the terminal.

All commands print with these functions; a test checks it.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

LONGEST_CELL = 100  # characters
PIPE_WIDTH = 1_000_000  # columns, so that no line is broken
# Control characters but tab and newline, line separators (U+2028), bidirectional overrides, lone surrogates.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
F = TypeVar("F", bound=Callable[..., Any])


def shown(text: str) -> str:
    r"""A text that is safe for a terminal. Control characters are escaped, as `\u001b`, which JSON reads too."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\r\n", "\n"))


def first_line(text: str) -> str:
    """The first line of a text, cut to `LONGEST_CELL` characters."""
    first, *rest = text.strip().splitlines() or [""]
    return first[:LONGEST_CELL] + (" ..." if rest or len(first) > LONGEST_CELL else "")


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text and a newline to standard output, or to standard error."""
    click.echo(shown(text), err=err)


def say_raw(text: str) -> None:
    """Print a text that another command may read. A pipe gets it as it is, a terminal as by `say`."""
    click.echo(shown(text) if sys.stdout.isatty() else text, color=True)


def say_json(rows: Sequence[Mapping[str, object]]) -> None:
    """Print a list of JSON objects, one on each line."""
    lines = [shown(json.dumps(row, ensure_ascii=False)) for row in rows]
    click.echo("[" + ",\n ".join(lines) + "]")


def json_option(command: F) -> F:
    """The option `--json` of a command that prints a table. The argument is `as_json`."""
    decorate: Callable[[F], F] = click.option(
        "--json", "as_json", is_flag=True, help="Print a list of JSON objects instead."
    )
    return decorate(command)


class PlainConsole(Console):
    """Prints texts as they are: without markup, emoji codes or control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich calls it for each text, also for the cells of a table."""
        return super().render_str(shown(text), **options)


def say_styled(to: Console, parts: Iterable[tuple[str, str]]) -> None:
    """Print texts one after the other as one paragraph, each in rich's style beside it; an empty style is none."""
    to.print(Text.assemble(*((shown(text), style) for text, style in parts)))


def console() -> PlainConsole:
    """Standard output. In a pipe no line is broken."""
    terminal = PlainConsole()
    return terminal if terminal.is_terminal else PlainConsole(width=PIPE_WIDTH)


def table_of(*titles: str, lines: bool = False) -> Table:
    """An empty table. Without titles it has no header. `lines` draws lines between its rows."""
    table = Table(show_lines=True) if lines else Table(box=None, pad_edge=False, show_header=bool(titles))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def say_table(to: Console, table: Table) -> None:
    """Print a table without blanks at the ends of its lines."""
    with to.capture() as captured:
        to.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
