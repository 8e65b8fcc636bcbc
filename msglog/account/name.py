"""Names of users and repositories, by allowlist: they become arguments, paths and lines."""

from __future__ import annotations

import re

from msglog.errors import UsageError

_USER = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}", re.ASCII)
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)


class InvalidUserError(UsageError):
    """A name cannot be a user's."""


class InvalidRepositoryError(UsageError):
    """A name cannot be a repository's, or leads out of the account."""


def is_user_name(name: str) -> bool:
    """Tell whether name can be a user's: `[a-z0-9][a-z0-9._-]{0,31}`."""
    return _USER.fullmatch(name) is not None


def check_user_name(name: str) -> str:
    """Return name if it can be a user's; raises InvalidUserError."""
    if not is_user_name(name):
        raise InvalidUserError(
            f"{name[:80]!r} cannot be the name of a user",
            why="up to 32 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit",
        )
    return name


def is_repository_name(name: str) -> bool:
    """Tell whether name can be a repository's; the rule is that of logs."""
    return _REPOSITORY.fullmatch(name) is not None and ".." not in name


def check_repository_name(name: str) -> str:
    """Return name if it can be a repository's; raises InvalidRepositoryError."""
    if not is_repository_name(name):
        raise InvalidRepositoryError(
            f"{name[:80]!r} cannot be the name of a repository",
            why="a-z, 0-9, '.', '_' and '-', up to four parts joined by '/'",
        )
    return name


def is_fingerprint(text: str) -> bool:
    """Tell whether text has the form of a key's fingerprint: `SHA256:` and 43 of base64."""
    return _FINGERPRINT.fullmatch(text) is not None
