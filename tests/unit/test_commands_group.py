"""The group imports a command when that command is used, and no sooner."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from commands.group import LazyGroup, Subcommand
from commands.main import SUBCOMMANDS, annotune

HEAVY = {"curation", "label_studio_sdk", "openai", "rq", "pydantic"}


def imported_by(*arguments: str) -> set[str]:
    """The top modules that are imported once `annotune` has printed and ended."""
    program = (
        "import sys\nfrom commands.main import annotune\n"
        f"annotune({list(arguments)!r}, standalone_mode=False)\n"
        "print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.splitlines()[-1].split()[1:])


def test_the_help_of_all_commands_imports_none_of_them() -> None:
    assert imported_by("--help") & HEAVY == set()


def test_the_help_of_one_command_imports_it() -> None:
    assert imported_by("status", "--help") >= {"pydantic", "rich"}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_a_summary_is_the_first_sentence_of_the_help(name: str) -> None:
    command = annotune.commands[name]
    assert command.name == name
    assert command.help
    assert f"{SUBCOMMANDS[name].summary.removesuffix('.')}." == f"{command.help.partition('.')[0]}."


def test_the_help_names_every_command_with_its_whole_summary() -> None:
    shown = " ".join(CliRunner().invoke(annotune, ["--help"]).stdout.split())

    assert [name for name, each in SUBCOMMANDS.items() if f"{name} {each.summary}" not in shown] == []


def test_a_command_that_is_not_there_is_refused_with_a_near_one() -> None:
    result = CliRunner().invoke(annotune, ["statsu"])

    assert result.exit_code == 2
    assert "Did you mean 'status'?" in result.stderr


def test_commands_can_be_added_and_taken_away_as_in_any_group() -> None:
    group = LazyGroup("group", subcommands={"status": Subcommand("commands.status:status", "Show it.")})

    @group.command()
    def other() -> None:
        """Do something else. And more."""

    assert list(group.commands) == ["status", "other"]
    assert "Do something else." in CliRunner().invoke(group, ["--help"]).stdout
    del group.commands["status"]
    assert [*group.commands.items()] == [("other", other)]
    assert group.get_command(click.Context(group), "status") is None
