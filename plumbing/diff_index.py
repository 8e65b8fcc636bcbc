"""`diff-index`: lists what one index has and another has not."""

from __future__ import annotations

import heapq

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_object_id, key_time
from msglog.message_json import rfc3339, to_json
from plumbing.local_repository import open_repository
from plumbing.naming import resolve

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.key import Key
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `diff-index`."""
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if they differ")
    parser.add_argument("base", metavar="A", help="a root, or a name for one")
    parser.add_argument("target", metavar="B", help="a root, or a name for one")


def run(arguments: Namespace, context: Context) -> int:
    """Print a line for each message in B and not in A (`+`) or in A and not in B (`-`)."""
    repository = open_repository(context)
    differ = False
    try:
        base, target = (resolve(repository, name) for name in (arguments.base, arguments.target))
        gained = _marked("+", repository.difference(base, target))
        lost = _marked("-", repository.difference(target, base))
        for key, sign in heapq.merge(gained, lost):
            differ = True
            time, oid = rfc3339(key_time(key), 0), key_object_id(key).hex()
            if context.json:
                context.write(to_json({"change": sign, "time": time, "id": oid}))
            else:
                context.write(f"{sign} {time} {oid}\n")
    finally:
        repository.close()
    return 1 if differ and arguments.exit_code else 0


def _marked(sign: str, keys: Iterator[Key]) -> Iterator[tuple[Key, str]]:
    return ((key, sign) for key in keys)
