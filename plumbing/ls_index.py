"""`ls-index`: lists the nodes of an index, one a line, indented by level."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.index.node import EMPTY_ROOT, Inner, common_nibbles, pack_prefix
from msglog.index.reading import Frontier
from msglog.message_json import to_json
from msglog.refname import DEFAULT_LOG
from plumbing.local_repository import open_repository
from plumbing.naming import resolve

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from plumbing.context import Context

_AHEAD = 64


class TwoIndexesError(UsageError):
    """Which index is meant is said twice."""


@dataclass(frozen=True, slots=True)
class Line:
    """One node as it is listed; prefix: `depth` hex digits that all keys below share."""

    level: int
    kind: str
    depth: int
    prefix: str
    count: int
    oid: ObjectId


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `ls-index`."""
    # Not a group of two that exclude each other: argparse cannot mix options with such arguments.
    parser.add_argument("--log", metavar="NAME", help="the index of a log (main)")
    parser.add_argument("root", nargs="?", metavar="ROOT", help="a root, or a name for one")


def run(arguments: Namespace, context: Context) -> int:
    """List the nodes of an index from its root down."""
    if arguments.root is not None and arguments.log is not None:
        raise TwoIndexesError("both --log and ROOT are given", hint="Give one of them.")
    repository = open_repository(context)
    try:
        if arguments.root is None:
            root = repository.log(arguments.log or DEFAULT_LOG).root
        else:
            root = resolve(repository, arguments.root)
        for line in _lines(repository, root):
            context.write(_json(line) if context.json else _text(line))
    finally:
        repository.close()
    return 0


def _lines(repository: Repository, root: ObjectId) -> Iterator[Line]:
    frontier = Frontier(repository.store.read_nodes)
    stack = [(0, root)]
    while stack:
        level, oid = stack.pop()
        node = frontier.take(oid, [ahead for _, ahead in reversed(stack[-_AHEAD:])])
        if isinstance(node, Inner):
            depth, prefix = node.depth, node.prefix
            stack.extend([(level + 1, child[1]) for child in reversed(node.children)])
        elif oid == EMPTY_ROOT:
            depth, prefix = 0, b""
        else:
            depth = common_nibbles(node.keys[0], node.keys[-1])
            prefix = pack_prefix(node.keys[0], depth)
        kind = "inner" if isinstance(node, Inner) else "leaf"
        yield Line(level, kind, depth, prefix.hex()[:depth], node.count, oid)


def _text(line: Line) -> str:
    prefix = line.prefix or "-"
    return f"{'  ' * line.level}{line.kind} {line.depth} {prefix} {line.count} {line.oid.hex()}\n"


def _json(line: Line) -> str:
    return to_json(
        {
            "level": line.level,
            "kind": line.kind,
            "depth": line.depth,
            "prefix": line.prefix,
            "count": line.count,
            "id": line.oid.hex(),
        }
    )
