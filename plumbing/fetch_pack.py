"""`fetch-pack`: fetches logs of a remote into the store and the tracking refs."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from msglog.refname import LOG_PREFIX, check_log_name, log_ref
from plumbing.fetching import Fetcher
from plumbing.local_repository import open_repository
from plumbing.opening import find_target, load_config, open_session
from plumbing.tracking import Remote, Tracking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `fetch-pack`."""
    parser.add_argument("remote", metavar="REMOTE", help="a name or a URL")
    parser.add_argument("refs", metavar="REF", nargs="*", help="refs/logs/NAME or NAME (all)")


def run(arguments: Namespace, context: Context) -> int:
    r"""Print `<root>\t<ref>` for each log, with the remote's root."""
    logs = [check_log_name(ref.removeprefix(LOG_PREFIX)) for ref in arguments.refs]
    repository = open_repository(context)
    status = 0
    try:
        config = load_config(context)
        target = find_target(
            config, arguments.remote, context, context.repository_directory, host=True
        )
        session = open_session(target, context, config)
        try:
            remote = Remote(target.name, session.greeting.repository)
            for log in logs or [ref.log for ref in session.list_refs()]:
                tracking = Tracking(repository, remote, log, clock=context.now)
                done = Fetcher(session, tracking, pull=False).run()
                root = done.root.hex()
                if context.json:
                    fields = {"ref": log_ref(log), "root": root, "messages": done.messages}
                    context.write(to_json(fields))
                else:
                    context.write(f"{root}\t{log_ref(log)}\n")
        finally:
            session.close()
    finally:
        repository.close()
    return status
