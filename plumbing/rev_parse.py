"""`rev-parse`: turns names and beginnings of ids into full ids."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from plumbing.local_repository import open_repository
from plumbing.naming import resolve

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `rev-parse`."""
    parser.add_argument("--short", action="store_true", help="print the shortest unique beginning")
    parser.add_argument(
        "name",
        nargs="+",
        metavar="NAME",
        help="a log, refs/..., REMOTE/LOG, any of these with @{N}, or the beginning of an id",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Print the id for each name; nothing at all if one of them names nothing."""
    repository = open_repository(context)
    try:
        found = [(name, resolve(repository, name).hex()) for name in arguments.name]
        length = repository.abbreviation_length() if arguments.short else None
    finally:
        repository.close()
    for name, digits in found:
        shown = digits[:length]
        context.write(to_json({"name": name, "id": shown}) if context.json else f"{shown}\n")
    return 0
