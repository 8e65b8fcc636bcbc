"""Lines of syslog as rows of `import`: those of RFC 5424 and RFC 3164, and how files have them.

<PRI>1 TIME HOST PROGRAM PID ID DATA MESSAGE      RFC 5424; TIME is RFC 3339
<PRI>Mmm dd hh:mm:ss HOST PROGRAM[PID]: MESSAGE   RFC 3164; in files without <PRI>
TIME HOST PROGRAM[PID]: MESSAGE                   rsyslog's files; TIME is RFC 3339
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.digest import digest
from msglog.errors import UsageError
from msglog.key import SECOND
from msglog.message import TAG_BYTES_LIMIT, Message
from msglog.when import Moment, WhenError, parse
from porcelain.import_source import (
    LINE_BYTES_LIMIT,
    Reading,
    bad_row,
    good_row,
    lines,
    named_uuid,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo
    from typing import IO, TypeAlias

    from msglog.message import MetaValue
    from porcelain.import_source import Row

Facts: TypeAlias = "tuple[tuple[str, ...], dict[str, MetaValue]]"
"""Tags and meta."""

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = (
    *(
        "kern",
        "user",
        "mail",
        "daemon",
        "auth",
        "syslog",
        "lpr",
        "news",
        "uucp",
        "cron",
        "authpriv",
    ),
    *("ftp", "ntp", "audit", "alert", "clock"),
    *("local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
REMEMBERED = 1 << 16
"""How many different lines back an equal one is known to be another."""

_NOTHING = "-"
_SAY_YEAR = "Say --year, that of the first line."
_LATE_DAYS = 7
"""How late a line may stand behind newer ones, where dates have no year."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEAP_YEAR = 2000
_PRIORITY = r"<(?P<priority>\d{1,3})>"
_STAMP = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)"
_ELEMENT = r'\[[^ =\]"]+(?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*\]'
_STRUCTURED = re.compile(
    rf"{_PRIORITY}1 (?P<stamp>{_STAMP}|-) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) (?P<id>\S+)"
    rf" (?P<data>-|(?:{_ELEMENT})+)(?: \ufeff?(?P<message>.*))?",
    re.ASCII | re.DOTALL,
)
_DATE = r"(?P<month>[A-Z][a-z][a-z]) (?P<day>[ \d]\d) (?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,6})?)"
_TRADITIONAL = re.compile(
    rf"(?:{_PRIORITY})?(?:{_DATE}|(?P<stamp>{_STAMP})) (?P<rest>.*)", re.ASCII | re.DOTALL
)
_DATED = re.compile(rf"(?:{_PRIORITY})?{_DATE} ".encode())
_PROGRAM = re.compile(
    r"(?P<program>[^\s:\[\]]{1,128})(?:\[(?P<pid>[^\]\s]{1,64})\])?:(?: (?P<rest>.*)|$)", re.DOTALL
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class MissingYearError(UsageError):
    """Lines have no year, and nothing says which it is."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What lines do not say themselves.

    author: of those that name no host. zone: in which times without an offset are. year: of the
    first line with a date that has none. written: when the file was last written, in microseconds
    since 1970 UTC, or None.
    """

    author: str
    zone: tzinfo
    year: int | None = None
    written: int | None = None


def syslog_rows(
    file: IO[bytes],
    first: bytes,
    reading: Reading,
    setting: Setting,
    again: Callable[[], IO[bytes]] | None,
) -> Iterator[Row]:
    """Yield the lines of a file; first: its first line, which was read already.

    again: opens the file once more, to find out how many years it spans. Raises MissingYearError.
    """
    reader = _Reader(setting, again)
    for number, line in lines(file, first, reading):
        if line is None:
            yield bad_row(number, "it is too long")
            continue
        try:
            message = reader.message(line.rstrip(b"\r\n"))
        except (ValueError, WhenError) as error:
            yield bad_row(number, getattr(error, "why", "") or str(error))
            continue
        yield good_row(number, message)


class _Reader:
    """Turns lines into messages, knowing those before."""

    def __init__(self, setting: Setting, again: Callable[[], IO[bytes]] | None) -> None:
        self._setting = setting
        self._again = again
        self._years: Years | None = None
        self._occurrences = Occurrences()

    def message(self, line: bytes) -> Message:
        """Return the message of a line; raises ValueError or WhenError with the reason."""
        text = text_of(line)
        found = _STRUCTURED.fullmatch(text)
        if found is not None:
            return self._structured(line, found)
        found = _TRADITIONAL.fullmatch(text)
        if found is not None:
            return self._traditional(line, found)
        raise ValueError("it is no line of syslog")

    def _structured(self, line: bytes, found: re.Match[str]) -> Message:
        if found["stamp"] == _NOTHING:
            raise ValueError("it says no time")
        known = facts(
            program=_said(found["program"]),
            pid=_said(found["pid"]),
            **_priority(found["priority"]),
            message_id=_said(found["id"]),
            structured_data=_said(found["data"]),
        )
        moment = _stamped(found["stamp"])
        return self._made(line, moment, found["host"], found["message"] or "", known)

    def _traditional(self, line: bytes, found: re.Match[str]) -> Message:
        if found["stamp"] is not None:
            moment = _stamped(found["stamp"])
        else:
            month, day = _month(found["month"]), int(found["day"])
            year = self._year_of(month, day)
            moment = _dated(year, month, day, found["clock"], self._setting.zone)
        host, _, rest = found["rest"].partition(" ")
        if host.endswith(":") or "[" in host:  # a program writes to its own machine without one
            host, rest = _NOTHING, found["rest"]
        rest = rest.lstrip(" ")
        program = pid = ""
        by = _PROGRAM.fullmatch(rest)
        if by is not None:
            program, pid, rest = by["program"], by["pid"] or "", by["rest"] or ""
        known = facts(program=program, pid=pid, **_priority(found["priority"]))
        return self._made(line, moment, host, rest, known)

    def _made(self, line: bytes, moment: Moment, host: str, body: str, known: Facts) -> Message:
        name = b"%d\0%s" % (moment.time, line)
        number = self._occurrences.count(digest(name))
        if number:
            name = b"%s\0%d" % (name, number)
        tags, meta = known
        return Message(
            uuid=named_uuid("syslog", name),
            time=moment.time,
            offset=moment.offset,
            author=_said(host) or self._setting.author,
            body=body,
            tags=tags,
            meta=meta,
        )

    def _year_of(self, month: int, day: int) -> int:
        if self._years is None:
            self._years = Years(self._first_year())
        return self._years.year_of(month, day)

    def _first_year(self) -> int:
        setting = self._setting
        if setting.year is not None:
            return setting.year
        if setting.written is None or self._again is None:
            raise MissingYearError("the lines do not say their year", hint=_SAY_YEAR)
        with self._again() as file:
            return first_year(file, setting.written, setting.zone)


class Years:
    """Tells the years of dates that come without one, in the order of a log."""

    def __init__(self, year: int) -> None:
        self._year = year
        self._last = 0

    def year_of(self, month: int, day: int) -> int:
        """Return the year of the next date: the one before, unless it is clear that it changed."""
        this = _day_of_year(month, day)
        if self._last:
            if this < self._last - _LATE_DAYS:
                self._year += 1
            elif this > self._last + 366 - _LATE_DAYS:
                self._year -= 1
        self._last = this
        return self._year


class Occurrences:
    """Counts equal lines, as long as not too many others are between them: memory is bounded."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def count(self, digest: bytes) -> int:
        """Return how many equal ones there were before."""
        counts = self._counts
        number = counts.pop(digest, -1) + 1
        counts[digest] = number
        if len(counts) > self._limit:
            counts.popitem(last=False)
        return number


def first_year(file: IO[bytes], written: int, zone: tzinfo) -> int:
    """Return the year of the first date of a file that was last written at a time.

    So that the last date is not after that time, or by a day where clocks disagree.
    """
    years = Years(0)
    spanned, last = 0, (1, 1)
    for _, line in lines(file, file.readline(LINE_BYTES_LIMIT + 1), Reading()):
        found = _DATED.match(line or b"")
        if found is None:
            continue
        try:
            last = _month(found["month"].decode()), int(found["day"])
            spanned = years.year_of(*last)
        except ValueError:
            continue
    try:
        end = (_EPOCH + timedelta(microseconds=written)).astimezone(zone) + _DAY
    except OverflowError as error:
        raise MissingYearError(
            "the lines do not say their year, and the file's time is absurd", hint=_SAY_YEAR
        ) from error
    year = end.year if last <= (end.month, end.day) else end.year - 1
    return year - spanned


def facts(*, program: str = "", pid: str = "", **more: str) -> Facts:
    """Return what is known beside the text: the program as a tag, the rest as meta."""
    meta: dict[str, MetaValue] = {name: text for name, text in more.items() if text}
    tags: tuple[str, ...] = ()
    if len(program.encode("utf-8", "surrogatepass")) > TAG_BYTES_LIMIT:
        meta["program"] = program
    elif program:
        tags = (program,)
    if pid:
        meta["pid"] = as_number(pid)
    return tags, meta


def as_number(text: str) -> int | str:
    """Return the number that a text of a few digits is, or the text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text


def _priority(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    facility, severity = divmod(int(text), len(SEVERITIES))
    if facility >= len(FACILITIES):
        raise ValueError(f"there is no priority {text}")
    return {"facility": FACILITIES[facility], "severity": SEVERITIES[severity]}


def _said(text: str) -> str:
    return "" if text == _NOTHING else text


def _month(name: str) -> int:
    try:
        return _MONTHS.index(name) + 1
    except ValueError:
        raise ValueError(f"there is no month {name}") from None


def _day_of_year(month: int, day: int) -> int:
    """Return the number of a day in its year, every year as long as a leap year."""
    try:
        return date(_LEAP_YEAR, month, day).timetuple().tm_yday
    except ValueError:
        raise ValueError("there is no such day") from None


@lru_cache(maxsize=256)
def _stamped(text: str) -> Moment:
    return parse(text, now=0, local_offset=lambda _: 0)


@lru_cache(maxsize=256)
def _dated(year: int, month: int, day: int, clock: str, zone: tzinfo) -> Moment:
    hour, minute, rest = clock.split(":")
    second, _, fraction = rest.partition(".")
    try:
        moment = datetime(year, month, day, int(hour), int(minute), 0, tzinfo=zone)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None
    if int(second) > 60:
        raise ValueError("there is no such time")
    east = moment.utcoffset() or timedelta()
    whole = (moment - _EPOCH) // timedelta(seconds=1) + int(second)
    return Moment(whole * SECOND + int(fraction.ljust(6, "0")), east // timedelta(minutes=1))
