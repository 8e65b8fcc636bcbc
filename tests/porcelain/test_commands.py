"""Every command is documented, and what its page shows is what it does."""

from argparse import PARSER
from pathlib import Path

import pytest

from porcelain.commands import COMMANDS, GROUPS, summary
from tests.docs.console import play
from tests.porcelain.conftest import CommandLine
from tests.porcelain.parsers import all_parsers, command_parser

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "commands"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_in_the_list_has_help_and_a_page(empty: CommandLine, name: str) -> None:
    command = COMMANDS[name]
    assert command.group in GROUPS
    line = next(line for line in empty.ok("help").splitlines() if line.startswith(f"  {name} "))
    assert summary(name) in line
    assert empty.ok(name, "--help") == empty.ok("help", name)
    assert empty.ok(name, "--help").startswith(f"usage: msglog {name} ")
    assert (PAGES / f"{name}.md").read_text().startswith(f"# msglog {name}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_explained(name: str) -> None:
    for path, parser in all_parsers(command_parser(name), name):
        silent = [one.dest for one in parser._actions if not one.help and one.nargs != PARSER]
        assert silent == [], path


def test_another_name_says_what_it_stands_for(empty: CommandLine) -> None:
    assert "(also called `log`)" in empty.ok("list", "--help")
    assert "(also called `list`)" in empty.ok("log", "--help")
    names = [name for name in COMMANDS if f"(also called `{name}`)" in summary(name)]
    assert names == []


def test_help_of_what_is_below_a_command(empty: CommandLine) -> None:
    for words in (["logs", "new"], ["admin", "user", "add"], ["remote", "rm"]):
        assert empty.ok("help", *words) == empty.ok(*words, "--help")
    assert "Did you mean new?" in empty.fails(2, "help", "logs", "nwe")
    assert "`msglog add --help`" in empty.fails(2, "help", "add", "more")
    empty.fails(2, "help", "--man", "logs", "nwe")
    assert empty.ok("help", "--man", "logs", "new") == empty.ok("help", "--man", "logs")


def test_there_is_no_page_without_a_command() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} <= set(COMMANDS)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_happens(empty: CommandLine, page: Path) -> None:
    play(page, empty.folder.parent / "bin", empty.environment)
