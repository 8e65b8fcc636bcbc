"""`fetch`: takes what a remote has and we lack, and leaves our logs as they are."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from porcelain.exchange import configure_exchange, configure_taking, exchange
from porcelain.taking import take

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `fetch`."""
    configure_exchange(parser)
    configure_taking(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Take each log and print a line for it."""
    with exchange(arguments, context) as one:
        if arguments.dry_run:
            from porcelain.forecast import forecast  # noqa: PLC0415 - only for --dry-run

            forecast(one, arguments.logs, take=True, give=False)
        else:
            take(one, arguments.logs, pull=False)
        return one.status()
