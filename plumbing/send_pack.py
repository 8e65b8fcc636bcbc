"""`send-pack`: pushes logs to a remote."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import RefusedError
from msglog.key import key_object_id
from msglog.message_json import to_json
from msglog.refname import LOG_PREFIX, check_log_name, log_ref
from plumbing.local_repository import open_repository
from plumbing.opening import find_target, load_config, open_session
from plumbing.pushing import Pusher
from plumbing.tracking import Remote, Tracking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `send-pack`."""
    parser.add_argument("remote", metavar="REMOTE", help="a name or a URL")
    parser.add_argument("refs", metavar="REF", nargs="*", help="refs/logs/NAME or NAME (all)")


def run(arguments: Namespace, context: Context) -> int:
    r"""Print `<root>\t<ref>` for each log, with our root."""
    logs = [check_log_name(ref.removeprefix(LOG_PREFIX)) for ref in arguments.refs]
    repository = open_repository(context)
    status = 0
    try:
        for log in logs:
            repository.log(log)  # which refuses what there is not
        config = load_config(context)
        target = find_target(
            config, arguments.remote, context, context.repository_directory, host=True
        )
        session = open_session(target, context, config)
        try:
            remote = Remote(target.name, session.greeting.repository)
            for log in logs or [log.name for log in repository.logs()]:
                tracking = Tracking(repository, remote, log, clock=context.now)
                done = Pusher(session, tracking).run()
                root = tracking.local().root.hex()
                if context.json:
                    fields = {"ref": log_ref(log), "root": root, "messages": done.messages}
                    context.write(to_json(fields))
                else:
                    context.write(f"{root}\t{log_ref(log)}\n")
                for refusal in done.refused:
                    context.stderr.write(
                        f"refused {key_object_id(refusal.key).hex()} {refusal.code}\n".encode()
                    )
                    status = RefusedError.exit_status
        finally:
            session.close()
    finally:
        repository.close()
    return status
