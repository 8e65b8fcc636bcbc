"""Names of users and repositories, by allowlist: they become arguments, paths and lines."""

from __future__ import annotations

from msglog.errors import UsageError
from msglog.refname import is_log_name

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_USER_CHARACTERS = _LETTERS | frozenset("._-")
_USER_LIMIT = 32
_FINGERPRINT = "SHA256:"
_FINGERPRINT_CHARACTERS = 43
_BASE64 = _LETTERS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ+/")


class InvalidUserError(UsageError):
    """A name cannot be a user's."""


class InvalidRepositoryError(UsageError):
    """A name cannot be a repository's, or leads out of the account."""


def is_user_name(name: str) -> bool:
    """Tell whether name can be a user's: `[a-z0-9][a-z0-9._-]{0,31}`."""
    return (
        0 < len(name) <= _USER_LIMIT and name[0] in _LETTERS and _USER_CHARACTERS.issuperset(name)
    )


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
    return is_log_name(name)


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
    digits = text.removeprefix(_FINGERPRINT)
    return (
        len(digits) == _FINGERPRINT_CHARACTERS
        and len(text) == len(_FINGERPRINT) + _FINGERPRINT_CHARACTERS
        and _BASE64.issuperset(digits)
    )
