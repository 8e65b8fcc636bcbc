"""`check-ref-format`: tells by its exit status whether a name can be a log's or a ref's."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from msglog.refname import (
    LOG_PREFIX,
    REMOTE_PREFIX,
    InvalidNameError,
    check_remote_name,
    is_log_name,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `check-ref-format`."""
    parser.add_argument("name", metavar="NAME", help="a log's name, or a ref's in full")


def run(arguments: Namespace, context: Context) -> int:
    """Exit with 0 if a name is good and with 1 if not; print nothing but with `--json`."""
    valid = is_valid(arguments.name)
    if context.json:
        context.write(to_json({"name": arguments.name, "valid": valid}))
    return 0 if valid else 1


def is_valid(name: str) -> bool:
    """Tell whether name is a log's name, `refs/logs/LOG` or `refs/remotes/REMOTE/LOG`."""
    if name.startswith(LOG_PREFIX):
        return is_log_name(name.removeprefix(LOG_PREFIX))
    if name.startswith(REMOTE_PREFIX):
        remote, _, log = name.removeprefix(REMOTE_PREFIX).partition("/")
        try:
            check_remote_name(remote)
        except InvalidNameError:
            return False
        return is_log_name(log)
    return is_log_name(name)
