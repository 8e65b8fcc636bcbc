"""The parsers of all commands and their subcommands, for tests that look at what can be typed."""

import argparse
from collections.abc import Iterator

from porcelain.commands import load
from porcelain.parser import CommandParser


def command_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    parser = CommandParser(prog=name)
    load(name).configure(parser)
    return parser


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers one level below, each also under its other names."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def all_parsers(
    parser: argparse.ArgumentParser, path: str
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield a parser and those below it, with what is typed for each; path: for the first."""
    yield path, parser
    seen: list[argparse.ArgumentParser] = []
    for name, below in subcommands(parser).items():
        if below not in seen:  # another name follows the first
            seen.append(below)
            yield from all_parsers(below, f"{path} {name}")


def options_of_all() -> set[str]:
    """Return the options that every command takes."""
    return {text for action in CommandParser(prog="")._actions for text in action.option_strings}
