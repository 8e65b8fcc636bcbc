"""Pages of commands cannot drift: each option of these commands is on its page, and no other."""

import argparse
import re
from importlib import import_module
from pathlib import Path

import pytest

from porcelain.commands import COMMANDS
from tests.porcelain.parsers import all_parsers, command_parser, options_of_all

FOLDER = Path(__file__).parent.parent / "docs" / "commands"
STRICT = {
    "backup": "porcelain.backup",
    "cat-object": "plumbing.cat_object",
    "check-ref-format": "plumbing.check_ref_format",
    "diff-index": "plumbing.diff_index",
    "export": "porcelain.export",
    "for-each-ref": "plumbing.for_each_ref",
    "hash-object": "plumbing.hash_object",
    "import": "porcelain.import_log",
    "ls-index": "plumbing.ls_index",
    "restore": "porcelain.restore",
    "rev-parse": "plumbing.rev_parse",
    "search": "porcelain.search",
    "verify": "porcelain.verify",
}
"""Commands on whose pages the synopsis has each spelling of each option, and the prose no other."""

EVERYWHERE = {"--json", "-q", "-v", "-C"}
SAME_AS = {"log": "list"}
"""Pages that only refer to another one."""


@pytest.mark.parametrize("name", STRICT)
def test_a_page_has_the_options_of_its_command(name: str) -> None:
    module = import_module(STRICT[name])
    parser = argparse.ArgumentParser(add_help=False)
    module.configure(parser)
    options = {text for action in parser._actions for text in action.option_strings}
    page = (FOLDER / f"{name}.md").read_text()
    assert page.startswith(f"# msglog {name}\n\n    msglog {name}")
    synopsis = page.split("\n\n")[1]
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", synopsis)) == options
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    mentioned = {word for text in re.findall(r"`([^`]+)`", prose) for word in text.split()}
    foreign = {word for word in mentioned if re.fullmatch(r"--?[a-z][a-z-]*", word)} - options
    assert foreign <= EVERYWHERE
    assert "Exit status" in page
    assert (module.__doc__ or "").startswith(f"`{name}`: ")


def options(name: str) -> set[tuple[str, ...]]:
    """Return the options of a command and its subcommands, each with all its spellings."""
    return {
        spellings
        for _, parser in all_parsers(command_parser(name), name)
        for action in parser._actions
        if (spellings := tuple(action.option_strings))
        and not options_of_all().issuperset(spellings)
    }


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_page_leaves_no_option_out_and_names_none_that_there_is_not(name: str) -> None:
    page = (FOLDER / f"{name}.md").read_text()
    assert page.startswith(f"# msglog {name}\n")
    written = set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", page))
    if name not in SAME_AS:
        missing = [spellings for spellings in options(name) if not written.intersection(spellings)]
        assert missing == []
    known = {spelling for one in COMMANDS for each in options(one) for spelling in each}
    own = {spelling for each in options(name) for spelling in each}
    synopsis = page.split("\n\n")[1]
    typed = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", synopsis))
    if synopsis.startswith("    msglog"):
        assert typed <= own | options_of_all()
    mentioned = set(re.findall(r"`(--[a-z][a-z-]*)[ `=]", page))
    assert mentioned <= known | options_of_all() | {"--version"}
