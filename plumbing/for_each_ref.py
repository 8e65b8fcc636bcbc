"""`for-each-ref`: lists refs with their roots."""

from __future__ import annotations

from argparse import ArgumentTypeError
from fnmatch import fnmatchcase

from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from plumbing.local_repository import open_repository

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `for-each-ref`."""
    parser.add_argument("--count", type=_number, metavar="N", help="stop after N refs")
    parser.add_argument(
        "pattern",
        nargs="*",
        metavar="PATTERN",
        help="only refs that match it, or begin with it up to a slash",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Print one line a ref, sorted by name: the root, a tab, the ref."""
    repository = open_repository(context)
    try:
        refs = repository.store.refs()
    finally:
        repository.close()
    chosen = [name for name in refs if _matches(name, arguments.pattern)]
    for name in chosen[: arguments.count]:
        root, count = refs[name].root.hex(), refs[name].count
        if context.json:
            context.write(to_json({"ref": name, "root": root, "count": count}))
        else:
            context.write(f"{root}\t{name}\n")
    return 0


def _matches(name: str, patterns: list[str]) -> bool:
    return not patterns or any(
        name == pattern or name.startswith(pattern.rstrip("/") + "/") or fnmatchcase(name, pattern)
        for pattern in patterns
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ArgumentTypeError(f"{text[:80]!r} is not a number")
    return int(text)
