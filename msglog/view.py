"""How much of a remote is shared: since when, and which logs, as configuration has it. Pure."""

from __future__ import annotations

from msglog.account.access import matches
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.key import FIRST_KEY, SECOND, first_key_at, key_time
from msglog.timestamp import DAY, MINUTE, rfc3339

if TYPE_CHECKING:
    from msglog.config import Remote
    from msglog.key import Key

_YEAR_1 = -62_135_596_800 * SECOND
_YEAR_10000 = 253_402_300_800 * SECOND


class ViewError(UsageError):
    """A time cannot be that from which on a log is taken."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a remote is shared. view: its first key. patterns: of logs; none for all."""

    view: Key = FIRST_KEY
    patterns: tuple[str, ...] = ()

    def has(self, log: str) -> bool:
        """Tell whether a log that nobody names is among what is shared."""
        return not self.patterns or any(matches(pattern, log) for pattern in self.patterns)


def scope_of(remote: Remote | None) -> Scope:
    """Return what configuration says of a remote; raises ViewError."""
    return Scope() if remote is None else Scope(parse_since(remote.since), remote.logs)


def parse_since(text: str) -> Key:
    """Return the first key of the view since an RFC 3339 time, or of all for ""; raises ViewError.

    Years are those from 1 to 9999.
    """
    if not text:
        return FIRST_KEY
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - few remotes have a view

    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ViewError(f"{text[:80]!r} has no offset from UTC")
        span = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ViewError(f"{text[:80]!r} is no time", why=str(error)) from error
    return first_key_at(span // timedelta(microseconds=1))


def format_since(moment: int, offset: int) -> str:
    """Return a time (microseconds since 1970 UTC) as `parse_since` takes it; raises ViewError."""
    if not _YEAR_1 + DAY <= moment < _YEAR_10000 - DAY:
        raise ViewError("a log can be taken since a time of the years 1 to 9999 only")
    return _without_zeros(rfc3339(moment, offset))


def readable_since(view: Key, offset: int) -> str:
    """Return when a view begins, for people: a day, if it is that day's start.

    offset: minutes east of UTC.
    """
    moment = key_time(view)
    text = _without_zeros(rfc3339(moment, offset))
    return text[:10] if (moment + offset * MINUTE) % DAY == 0 and text[4] == "-" else text


def _without_zeros(text: str) -> str:
    return text.replace(".000000", "")
