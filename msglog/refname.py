"""Names of logs, remotes and refs, by allowlist."""

from __future__ import annotations

import re

from msglog.errors import UsageError

LOG_PREFIX = "refs/logs/"
REMOTE_PREFIX = "refs/remotes/"
DEFAULT_LOG = "main"
DEFAULT_REMOTE = "origin"

_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_LOG = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}", re.ASCII)
_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class InvalidNameError(UsageError):
    """A name is not of the form that logs or remotes have."""


def is_log_name(name: str) -> bool:
    """Tell whether name can be a log's: `[a-z0-9][a-z0-9._-]{0,63}`, up to four joined by `/`."""
    return _LOG.fullmatch(name) is not None and ".." not in name


def check_log_name(name: str) -> str:
    """Return name if it can be a log's; raises InvalidNameError."""
    if not is_log_name(name):
        raise InvalidNameError(
            f"{name[:80]!r} cannot be the name of a log",
            why="a-z, 0-9, '.', '_' and '-', up to four parts joined by '/'",
        )
    return name


def check_remote_name(name: str) -> str:
    """Return name if it can be a remote's; raises InvalidNameError."""
    if _REMOTE.fullmatch(name) is None or ".." in name:
        raise InvalidNameError(
            f"{name[:80]!r} cannot be the name of a remote",
            why="letters, digits, '.', '_' and '-'",
        )
    return name


def log_ref(log: str) -> str:
    """Return the ref of a log."""
    return LOG_PREFIX + log


def tracking_ref(remote: str, log: str) -> str:
    """Return the ref that says what we know a remote's log to hold."""
    return f"{REMOTE_PREFIX}{remote}/{log}"
