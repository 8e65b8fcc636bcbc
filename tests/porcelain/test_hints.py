"""What messages tell people to type can be typed: commands, subcommands and options that there are."""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from porcelain.commands import COMMANDS
from tests.porcelain.parsers import command_parser, subcommands

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for name in ("msglog", "plumbing", "porcelain") for path in (ROOT / name).rglob("*.py")
]
LEADING = {"-C", "--version"}
"""What may stand before a command."""

ANYTHING = {"COMMAND", "ACTION"}


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module that may be shown: all but docstrings; X is what is put in."""
    tree = ast.parse(path.read_text())
    parts = {
        id(value)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for value in node.values
    }
    comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in comments | parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values
            )


def hints() -> set[tuple[str, str]]:
    return {
        (path.relative_to(ROOT).as_posix(), command)
        for path in SOURCES
        for text in texts(path)
        for quoted in re.findall(r"`(msglog[^`]*)`", text)
        for command in quoted.split(" && ")
    }


def parser_of(words: list[str]) -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser of a command, or of its subcommand, and what comes after these words."""
    name, *rest = words
    parser = command_parser(name)
    while below := subcommands(parser):
        at = next((at for at, word in enumerate(rest) if not word.startswith("-")), None)
        if at is None or rest[at] == "X":
            break
        parser = below[rest.pop(at)]
    return parser, rest


@pytest.mark.parametrize(("place", "command"), sorted(hints()))
def test_what_is_hinted_at_exists(place: str, command: str) -> None:
    words = command.split()[1:]
    if words and words[0] in LEADING:
        return
    if not words or words[0] in ANYTHING:
        return
    assert words[0] in COMMANDS, place
    parser, rest = parser_of(words)
    options = {text for action in parser._actions for text in action.option_strings}
    if "--run" in rest:
        del rest[rest.index("--run") + 1 :]  # the command's own
    given = {word.partition("=")[0] for word in rest if re.match("--?[a-z]", word)}
    assert given <= options, place


def test_there_are_hints() -> None:
    assert len(hints()) > 40
