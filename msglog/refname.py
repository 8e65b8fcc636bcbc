"""Names of logs, remotes and refs, by allowlist."""

from __future__ import annotations

from msglog.errors import UsageError

LOG_PREFIX = "refs/logs/"
REMOTE_PREFIX = "refs/remotes/"
DEFAULT_LOG = "main"
DEFAULT_REMOTE = "origin"

_SMALL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LARGE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_MARKS = frozenset("._-")
_PARTS = 4
_PART_CHARACTERS = 64


class InvalidNameError(UsageError):
    """A name is not of the form that logs or remotes have."""


def is_log_name(name: str) -> bool:
    """Tell whether name can be a log's: `[a-z0-9][a-z0-9._-]{0,63}`, up to four joined by `/`."""
    parts = name.split("/", _PARTS)
    return len(parts) <= _PARTS and ".." not in name and all(map(_is_part, parts))


def _is_part(text: str, letters: frozenset[str] = _SMALL) -> bool:
    """Tell whether text is a name without slashes; no regular expression, for a quick start."""
    return (
        0 < len(text) <= _PART_CHARACTERS
        and text[0] in letters
        and (letters | _MARKS).issuperset(text)
    )


def check_log_name(name: str) -> str:
    """Return name if it can be a log's; raises InvalidNameError."""
    if not is_log_name(name):
        raise InvalidNameError(
            f"{name[:80]!r} cannot be the name of a log",
            why="a-z, 0-9, '.', '_' and '-', up to four parts joined by '/'",
        )
    return name


def is_remote_name(name: str) -> bool:
    """Tell whether a remote can have this name."""
    return ".." not in name and _is_part(name, _SMALL | _LARGE)


def check_remote_name(name: str) -> str:
    """Return name if it can be a remote's; raises InvalidNameError."""
    if not is_remote_name(name):
        raise InvalidNameError(
            f"{name[:80]!r} cannot be the name of a remote",
            why="letters, digits, '.', '_' and '-'",
        )
    return name


def log_ref(log: str) -> str:
    """Return the ref of a log."""
    return LOG_PREFIX + log


def log_of(ref: str) -> str:
    """Return which log a ref is of, one here or one that a remote has; "" for any other ref."""
    if ref.startswith(LOG_PREFIX):
        return ref.removeprefix(LOG_PREFIX)
    if ref.startswith(REMOTE_PREFIX):
        return ref.removeprefix(REMOTE_PREFIX).partition("/")[2]
    return ""


def tracking_ref(remote: str, log: str) -> str:
    """Return the ref that says what we know a remote's log to hold."""
    return f"{REMOTE_PREFIX}{remote}/{log}"
