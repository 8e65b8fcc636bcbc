"""What an account keeps of users, keys and grants, and the errors about what it does not keep."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.account.publickey import PublicKey
    from msglog.account.role import Role

EVERYBODY = "*"
"""Stands for every user in a grant; no user can have this name."""


class UnknownUserError(UsageError):
    """The account has no such user; known: those that it has."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        from msglog.guess import advice  # noqa: PLC0415 - only where something was mistyped

        hint = advice(name, known, see="`msglog admin user list` shows all.")
        super().__init__(f"there is no user {name[:80]!r}", hint=hint)


class UserExistsError(UsageError):
    """A user was to be made under a name that is taken."""


class UnknownKeyError(UsageError):
    """The account has no such key."""


class UnknownGrantError(UsageError):
    """The account has no such grant."""


class UnknownRepositoryError(LocalError):
    """The account has no such repository."""

    def __init__(self, name: str) -> None:
        hint = "`msglog admin repository list` shows all."
        super().__init__(f"there is no repository {name[:80]!r} here", hint=hint)


class KeyTakenError(RefusedError):
    """A key belongs to another user already: sshd could not tell the two apart."""


class LastAdminError(RefusedError):
    """The last administrator was to be removed or demoted."""


@dataclass(frozen=True, slots=True)
class User:
    """A user. created: in microseconds since 1970 UTC."""

    name: str
    role: Role
    created: int


@dataclass(frozen=True, slots=True)
class UserKey:
    """A key of a user. added: in microseconds since 1970 UTC."""

    user: str
    key: PublicKey
    added: int


@dataclass(frozen=True, slots=True)
class UserGrant:
    """A grant as it is kept. user: a name, or EVERYBODY."""

    user: str
    repository: str
    pattern: str
    role: Role
