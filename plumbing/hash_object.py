"""`hash-object`: checks an object strictly, prints its id, and may put it into a log."""

from __future__ import annotations

from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.encoding import EncodingError
from msglog.errors import IntegrityError, LocalError, UsageError
from msglog.index.node import NodeError, decode_node
from msglog.message import OBJECT_BYTES_LIMIT, object_key
from msglog.message_json import to_json
from msglog.objectid import object_id
from msglog.refname import DEFAULT_LOG
from plumbing.local_repository import open_repository

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context

_ARRAY_HEADS = range(0x80, 0xA0)
"""An index node is a CBOR array and every other object a map: the first byte tells them apart."""


class NoObjectError(UsageError):
    """What was given is not one source of bytes, or cannot be put into a log."""


class UnreadableFileError(LocalError):
    """A file cannot be read."""


class RefusedObjectError(IntegrityError):
    """The bytes are not a msglog object."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `hash-object`."""
    parser.add_argument("-w", dest="write", action="store_true", help="put it into a log")
    parser.add_argument("--log", default=DEFAULT_LOG, metavar="NAME", help="which log (main)")
    parser.add_argument("--stdin", action="store_true", help="read it from standard input")
    parser.add_argument("file", nargs="?", metavar="FILE", help="read it from a file")


def run(arguments: Namespace, context: Context) -> int:
    """Print the id of an object that is valid to the last byte."""
    if (arguments.file is None) != arguments.stdin:
        raise NoObjectError("what to hash is not clear", hint="Give either --stdin or one FILE.")
    name = "standard input" if arguments.stdin else arguments.file
    data = _read(arguments, context)
    kind = "node" if data[:1] and data[0] in _ARRAY_HEADS else "message"
    try:
        if kind == "node":
            decode_node(data)
        else:
            key = object_key(data)
    except (EncodingError, NodeError) as error:
        raise RefusedObjectError(f"{name} is {error.what}", why=error.why) from error
    if arguments.write:
        if kind == "node":
            raise NoObjectError(
                f"{name} is an index node", why="nodes are computed, never put into a log"
            )
        repository = open_repository(context)
        try:
            repository.add(arguments.log, {key: data}, time=context.now(), reason="hash-object")
        finally:
            repository.close()
    oid = object_id(data).hex()
    context.write(to_json({"id": oid, "kind": kind}) if context.json else f"{oid}\n")
    return 0


def _read(arguments: Namespace, context: Context) -> bytes:
    if arguments.stdin:
        return context.stdin.read(OBJECT_BYTES_LIMIT + 1)
    try:
        with Path(context.directory, arguments.file).open("rb") as file:
            data: bytes = file.read(OBJECT_BYTES_LIMIT + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableFileError(f"cannot read {arguments.file}", why=why or "") from error
    return data
