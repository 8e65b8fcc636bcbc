"""`ls-remote`: lists the logs of a remote."""

from __future__ import annotations

from fnmatch import fnmatchcase

from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from msglog.refname import DEFAULT_REMOTE, log_ref
from msglog.wire.events import ListRefs
from plumbing.opening import find_target, load_config, open_session

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context

NOTHING_FOUND = 1


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `ls-remote`."""
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if nothing matches")
    parser.add_argument(
        "remote",
        nargs="?",
        default=DEFAULT_REMOTE,
        metavar="REMOTE",
        help="a name or a URL (origin)",
    )
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="such as 'lab/*'")


def run(arguments: Namespace, context: Context) -> int:
    r"""Print `<root>\t<ref>` for each log that we may list, and nothing else."""
    config = load_config(context)
    session = open_session(
        find_target(config, arguments.remote, context, context.repository_directory, host=True),
        context,
        config,
        lambda: [ListRefs()],
    )
    try:
        refs = session.listed_refs()
    finally:
        session.close()
    found = [
        ref
        for ref in refs
        if arguments.pattern is None
        or fnmatchcase(ref.log, arguments.pattern)
        or fnmatchcase(log_ref(ref.log), arguments.pattern)
    ]
    for ref in found:
        if context.json:
            fields = {"root": ref.root.hex(), "ref": log_ref(ref.log), "count": ref.count}
            context.write(to_json(fields))
        else:
            context.write(f"{ref.root.hex()}\t{log_ref(ref.log)}\n")
    return NOTHING_FOUND if arguments.exit_code and not found else 0
