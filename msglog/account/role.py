"""Roles: named sets of what a user may do with a log."""

from __future__ import annotations

from types import MappingProxyType

from msglog.annotation import TYPE_CHECKING
from msglog.enumeration import Enum
from msglog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Capability(Enum):
    """One thing that can be allowed.

    LIST: see that a log exists, its root and its size. FETCH: read its messages. APPEND: add
    messages, learning nothing of those of others. ADMINISTER: change users, keys and roles.
    """

    LIST = "list"
    FETCH = "fetch"
    APPEND = "append"
    ADMINISTER = "administer"


class Role(Enum):
    """A named set of capabilities; the names are what administrators type and what is stored."""

    NONE = "none"
    APPEND = "append"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the role allows."""
        return CAPABILITIES[self]


CAPABILITIES: Mapping[Role, frozenset[Capability]] = MappingProxyType(
    {
        Role.NONE: frozenset(),
        Role.APPEND: frozenset({Capability.APPEND}),
        Role.READ: frozenset({Capability.LIST, Capability.FETCH}),
        Role.WRITE: frozenset({Capability.LIST, Capability.FETCH, Capability.APPEND}),
        Role.ADMIN: frozenset(Capability),
    }
)
"""The table of roles: what is not in it is denied."""


class UnknownRoleError(UsageError):
    """There is no role of this name."""


def parse_role(name: str) -> Role:
    """Return the role of a name; raises UnknownRoleError."""
    try:
        return Role(name)
    except ValueError:
        from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

        roles = [role.value for role in Role]
        raise UnknownRoleError(
            f"there is no role {name[:40]!r}",
            why=f"roles are {', '.join(roles)}",
            hint=question(name, roles),
        ) from None
