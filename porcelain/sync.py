"""`sync`: pulls from a remote and pushes to it, over one connection, once or again and again."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from porcelain.exchange import configure_exchange, exchange
from porcelain.giving import give
from porcelain.taking import take

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


class RepeatedForecastError(UsageError):
    """`--dry-run` and `--every` were both given."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `sync`."""
    configure_exchange(parser)
    parser.add_argument(
        "--every", metavar="INTERVAL", help="go on until stopped, such as each 30s, 5m or 1h"
    )


def run(arguments: Namespace, context: Context) -> int:
    """Pull each log, then push each, and print a line for each way."""
    if arguments.every is not None:
        return _run_rounds(arguments, context)
    with exchange(arguments, context) as one:
        if arguments.dry_run:
            from porcelain.forecast import forecast  # noqa: PLC0415 - only for --dry-run

            forecast(one, arguments.logs, take=True, give=True)
        else:
            take(one, arguments.logs, pull=True)
            give(one, arguments.logs)
        return one.status()


def _run_rounds(arguments: Namespace, context: Context) -> int:
    from porcelain.rounds import Rounds  # noqa: PLC0415 - only for --every
    from porcelain.schedule import parse_interval  # noqa: PLC0415 - only for --every

    if arguments.dry_run:
        raise RepeatedForecastError("--dry-run and --every do not go together")
    schedule = parse_interval(arguments.every)
    with exchange(arguments, context) as one:
        return Rounds(one, arguments.logs, schedule).run()
