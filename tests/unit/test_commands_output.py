"""What a terminal and a pipe get."""

import json
import os
import pty
import subprocess
import sys

import pytest

from commands.output import console, first_line, say_json, say_table, shown, table_of


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[INST] a [/INST] :smile: 👩‍🔬\tb\nc", "[INST] a [/INST] :smile: 👩‍🔬\tb\nc"),
        ("\x1b[31m\x07\x9b", "\\u001b[31m\\u0007\\u009b"),
        ("a\r\nb\rc", "a\nb\\u000dc"),
        ("\u202ea\u2028\ud83d", "\\u202ea\\u2028\\ud83d"),
    ],
)
def test_what_would_steer_a_terminal_is_spelled_out(text: str, told: str) -> None:
    assert shown(text) == told


@pytest.mark.parametrize(
    ("text", "told"), [("", ""), (" \n", ""), ("a", "a"), ("a\nb", "a ..."), ("x" * 101, "x" * 100 + " ...")]
)
def test_a_first_line_has_an_end(text: str, told: str) -> None:
    assert first_line(text) == told


def test_a_cell_holds_no_markup_and_a_line_ends_with_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = table_of("a", "b")
    table.add_row("[/]", "[bold]x[/bold]")
    table.add_row("y" * 500, "")

    say_table(console(), table)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["a", "b"], ["[/]", "[bold]x[/bold]"], ["y" * 500]]
    assert lines == [line.rstrip() for line in lines]


def test_json_is_json_whatever_a_text_holds(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"text": "\x1b \x9b ä 👩‍🔬 \u202e"}, {"text": None}]

    say_json(rows)

    said = capsys.readouterr().out
    assert json.loads(said) == rows
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)


def test_a_terminal_is_not_steered_by_what_a_pipe_gets_raw() -> None:
    script = "from commands.output import say_raw; say_raw('\\x1b[2J[INST]')"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", script], stdout=theirs, check=True)
    piped = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    told = os.read(ours, 1000)
    for end in (ours, theirs):
        os.close(end)

    assert (told, piped.stdout) == (b"\\u001b[2J[INST]\r\n", b"\x1b[2J[INST]\n")
