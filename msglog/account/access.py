"""Who may do what with which log: the decision, from a role and from grants."""

from __future__ import annotations

from msglog.account.role import Capability, Role
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

WILDCARD = "*"
PATTERN_CHARACTERS = 256
"""A pattern of logs is at most this long: the longest name of a log and some wildcards."""

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789*")
_FURTHER = _FIRST | frozenset("._-")
_PARTS = 4


class InvalidPatternError(UsageError):
    """A pattern cannot match the name of any log."""


def is_pattern(pattern: str) -> bool:
    """Tell whether pattern is the name of a log in which `*` may stand for any characters."""
    parts = pattern.split("/", _PARTS)
    return (
        len(pattern) <= PATTERN_CHARACTERS
        and len(parts) <= _PARTS
        and ".." not in pattern
        and "**" not in pattern
        and all(part[:1] in _FIRST and _FURTHER.issuperset(part) for part in parts)
    )


def check_pattern(pattern: str) -> str:
    """Return pattern if it is the name of a log in which `*` may stand for any characters.

    Raises InvalidPatternError.
    """
    if not is_pattern(pattern):
        raise InvalidPatternError(
            f"{pattern[:80]!r} is not a pattern for names of logs",
            why="it is a name in which '*' stands for any characters, '/' among them",
        )
    return pattern


def matches(pattern: str, log: str) -> bool:
    """Tell whether a pattern is about a log."""
    first, *rest = pattern.split(WILDCARD)
    if not rest:
        return log == first
    *middle, last = rest
    if not log.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = log.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return log.endswith(last) and len(log) - len(last) >= at


def specificity(pattern: str) -> int:
    """Return how specific a pattern is, by which patterns that match the same log are ordered.

    It is the length of the literal prefix, where the end of a name without wildcard counts as one
    character more.
    """
    prefix, wildcard, _ = pattern.partition(WILDCARD)
    return len(prefix) + (not wildcard)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for the logs of one repository that match a pattern.

    pattern: the name of a log; `*` stands for any characters, `/` among them.
    own: true if it was given to this user, false if it was given to every user.
    """

    pattern: str
    role: Role
    own: bool = True

    def matches(self, log: str) -> bool:
        """Tell whether the grant is about this log."""
        return matches(self.pattern, log)

    @property
    def precedence(self) -> tuple[bool, int]:
        """What decides between grants that match the same log; the greater one wins.

        The user's own before everybody's; then the more specific one.
        """
        return self.own, specificity(self.pattern)


@dataclass(frozen=True, slots=True)
class Access:
    """What one user, coming with one key, may do in one repository, at the time of asking.

    role: the user's role in the account, for every log that no grant is about.
    grants: those for this repository, the user's own and everybody's.
    """

    user: str
    fingerprint: str | None
    repository: str
    role: Role
    grants: tuple[Grant, ...] = ()

    def role_for(self, log: str) -> Role:
        """Return the role that decides about a log: NONE where equal grants contend."""
        matching = [grant for grant in self.grants if grant.matches(log)]
        if not matching:
            return self.role
        strongest = max(grant.precedence for grant in matching)
        first, *tied = [grant for grant in matching if grant.precedence == strongest]
        return Role.NONE if tied else first.role

    def may(self, capability: Capability, log: str) -> bool:
        """Tell whether the user may do this with this log. What is not granted is denied."""
        return capability in self.role_for(log).capabilities

    @property
    def may_administer(self) -> bool:
        """Whether the user may change users, keys and roles; no grant for a log gives this."""
        return Capability.ADMINISTER in self.role.capabilities

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that the user may do with any log here."""
        roles = {self.role, *(grant.role for grant in self.grants)}
        return not any(role.capabilities for role in roles)


def sorted_grants(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return grants in one order, so that equal accesses compare equal."""
    return tuple(sorted(grants, key=lambda grant: (not grant.own, grant.pattern)))
