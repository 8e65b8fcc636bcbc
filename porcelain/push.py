"""`push`: gives a remote what we have and it lacks."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from porcelain.exchange import configure_exchange, exchange
from porcelain.giving import give

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `push`."""
    configure_exchange(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Push each log and print a line for it."""
    with exchange(arguments, context) as one:
        if arguments.dry_run:
            from porcelain.forecast import forecast  # noqa: PLC0415 - only for --dry-run

            forecast(one, arguments.logs, take=False, give=True)
        else:
            give(one, arguments.logs)
        return one.status()
