"""`stats`: counts messages by author, tag, day, weekday and hour, and draws what it counts."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.timestamp import DAY, MINUTE
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.list_log import Selection, configure_filters
from porcelain.message_json import to_json
from porcelain.printing import make_printer, paged
from porcelain.progress import Progress
from porcelain.settings import load_settings
from porcelain.tally import WEEKDAYS, day_name, tally

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections import Counter
    from collections.abc import Iterator

    from plumbing.context import Context
    from porcelain.printing import Printer
    from porcelain.tally import Tally

_SHOWN = 10
_UNKNOWN = "(needs a newer msglog)"


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `stats`."""
    configure_filters(parser)
    parser.add_argument("--top", metavar="N", type=_number, default=_SHOWN, help="how many (10)")


def run(arguments: Namespace, context: Context) -> int:
    """Count the messages that were asked for, and show the counts."""
    arguments.max_count, arguments.reverse = None, False
    repository = open_repository(context)
    selection = Selection(arguments, context, repository)
    counted = tally(_objects(context, selection), context.local_offset)
    pager = load_settings(context, repository.folder).text("core.pager")
    repository.close()
    if context.json:
        for by, value, count in _counts(counted, selection.revision.name):
            fields = {"log": selection.revision.name, "by": by, "value": value, "count": count}
            context.write(to_json(fields))
    else:
        with paged(context, pager) as output:
            _draw(make_printer(output), context, counted, selection.revision.name, arguments.top)
    return 0


def _objects(context: Context, selection: Selection) -> Iterator[list[bytes]]:
    done = 0
    with Progress(context, "Counting messages") as progress:
        for keys, objects in selection.parts():
            done += len(keys)
            progress.update(done)
            yield objects


def _counts(counted: Tally, log: str) -> Iterator[tuple[str, str | int | None, int]]:
    """Yield all counts: what by, of what, and how many; the largest first, or in order of time."""
    yield "log", log, counted.count
    for author, count in _largest(counted.authors):
        yield "author", author, count
    for tag, count in _largest(counted.tags):
        yield "tag", tag, count
    for day in sorted(counted.days):
        yield "day", day_name(day), counted.days[day]
    for number, name in enumerate(WEEKDAYS):
        yield "weekday", name, counted.weekdays[number]
    for hour in range(24):
        yield "hour", hour, counted.hours[hour]


def _largest(counts: Counter[str] | Counter[str | None]) -> list[tuple[str | None, int]]:
    """Return counts, the largest first and else by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0] is None, item[0] or ""))


def _draw(printer: Printer, context: Context, counted: Tally, log: str, top: int) -> None:
    from porcelain.chart import bars, calendar, hours  # noqa: PLC0415 - not with --json
    from porcelain.drawing import draws_unicode  # noqa: PLC0415 - as above

    unicode = draws_unicode(context.environment)
    total: list[tuple[str, str] | str] = [("name", log), f": {plural(counted.count, 'message')}"]
    if not counted.count:
        printer.line(*total)
        return
    first, last = day_name(min(counted.days)), day_name(max(counted.days))
    span = f" on {len(counted.days)} days, {first} to {last}" if last != first else f" on {first}"
    printer.line(*total, span)
    for heading, counts, style in (
        ("author", _largest(counted.authors), "author"),
        ("tag", _largest(counted.tags), "tag"),
    ):
        if not counts:
            continue
        more = f", the first {top} of them" if len(counts) > top else ""
        printer.line("")
        printer.line(f"{plural(len(counts), heading)}{more}")
        shown = [(_UNKNOWN if name is None else one_line(name), count) for name, count in counts]
        for line in bars(shown[:top], context.width, style, unicode=unicode):
            printer.line(*line)
    printer.line("")
    printer.line("Weekdays")
    by_weekday = [(name, counted.weekdays[number]) for number, name in enumerate(WEEKDAYS)]
    for line in bars(by_weekday, context.width, "time", unicode=unicode):
        printer.line(*line)
    printer.line("")
    printer.line("Hours")
    for line in hours(counted.hours, context.width, unicode=unicode):
        printer.line(*line)
    printer.line("")
    printer.line("Days")
    now = context.now()
    today = (now + context.local_offset(now) * MINUTE) // DAY
    for line in calendar(counted.days, today, context.width, unicode=unicode):
        printer.line(*line)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) > 0):
        from argparse import ArgumentTypeError  # noqa: PLC0415 - argparse is here if need be

        raise ArgumentTypeError(f"{text[:80]!r} is not how many to show")
    return int(text)
