"""`cat-object`: shows an object, its kind or its size."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.diagnostic import diagnose
from msglog.encoding import decode
from msglog.message import decode_object
from msglog.message_json import message_fields, to_json
from plumbing.local_repository import open_repository
from plumbing.naming import UnknownNameError, find_object, read_object, resolve

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.objectid import ObjectId
    from plumbing.context import Context
    from plumbing.naming import Candidate


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `cat-object`."""
    what = parser.add_mutually_exclusive_group(required=True)
    add = what.add_argument
    add("-t", dest="what", action="store_const", const="kind", help="print message or node")
    add("-s", dest="what", action="store_const", const="size", help="print the number of bytes")
    add("-e", dest="what", action="store_const", const="exists", help="exit with 1 if not here")
    add("-p", dest="what", action="store_const", const="pretty", help="print it to be read")
    add("--raw", dest="what", action="store_const", const="raw", help="print its exact bytes")
    parser.add_argument("object", metavar="ID", help="an id, its beginning, or a log for its root")


def run(arguments: Namespace, context: Context) -> int:
    """Show an object; exit status 1 if there is none."""
    repository = open_repository(context)
    try:
        try:
            found = find_object(repository, resolve(repository, arguments.object).hex())
        except UnknownNameError:
            if arguments.what == "exists":
                return 1
            raise UnknownNameError(arguments.object) from None
        data = read_object(repository, found)
    finally:
        repository.close()
    if arguments.what == "raw":
        context.stdout.write(data)
    elif arguments.what != "exists":
        context.write(_shown(arguments.what, found, data, as_json=context.json))
    return 0


def _shown(what: str, found: Candidate, data: bytes, *, as_json: bool) -> str:
    if as_json and what != "pretty":
        return to_json({"id": found.oid.hex(), "kind": found.kind, "size": len(data)})
    if what == "kind":
        return f"{found.kind}\n"
    if what == "size":
        return f"{len(data)}\n"
    if found.kind == "message":
        return to_json(message_fields(found.oid, decode_object(data)))
    notation = diagnose(decode(data)) + "\n"
    return to_json(_node_fields(found.oid, data, notation)) if as_json else notation


def _node_fields(oid: ObjectId, data: bytes, notation: str) -> dict[str, object]:
    return {"id": oid.hex(), "kind": "node", "size": len(data), "diagnostic": notation}
