"""`sync`: pulls from a remote and pushes to it, over one connection."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from porcelain.exchange import configure_exchange, exchange
from porcelain.forecast import forecast
from porcelain.giving import give
from porcelain.taking import take

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `sync`."""
    configure_exchange(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Pull each log, then push each, and print a line for each way."""
    with exchange(arguments, context) as one:
        if arguments.dry_run:
            forecast(one, arguments.logs, take=True, give=True)
        else:
            session = take(one, arguments.logs, pull=True)
            give(one, arguments.logs, session)
        return one.status()
