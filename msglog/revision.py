"""What is named to be read: a log, one at a remote, one as it was, or what one has beyond another.

Written as in git (gitrevisions(7)): `main`; `origin/main`, what is known of the remote's log;
`main@{1}`, what it was one change ago; and `A..B`, what B has and A lacks, where A or B that is
left out is `main`.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import NegativeAnswer
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import count
from msglog.refname import (
    DEFAULT_LOG,
    LOG_PREFIX,
    REMOTE_PREFIX,
    check_log_name,
    is_log_name,
    is_remote_name,
    log_ref,
    tracking_ref,
)
from msglog.repository import UnknownLogError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from msglog.objectid import ObjectId
    from msglog.repository import Repository

_BETWEEN = ".."
_NUMBER_DIGITS = 9


class ForgottenValueError(NegativeAnswer):
    """A ref does not remember as many of its values as were counted back; known: how many."""

    def __init__(self, name: str, ref: str, known: int) -> None:
        super().__init__(
            f"{name[:80]!r} is not remembered here", why=f"{ref} remembers {known} values"
        )


@dataclass(frozen=True, slots=True)
class Revision:
    """Messages that were named, as they were when they were looked up.

    name: as it was written. log: what the log is called, here or at the remote. root: of an index
    that has them all. base: of one that has none of them.
    """

    name: str
    log: str
    root: ObjectId
    base: ObjectId = EMPTY_ROOT

    def count(self, repository: Repository) -> int:
        """Return how many they are, without reading any of them."""
        if self.base == EMPTY_ROOT:
            return count(repository.store.read_nodes, self.root)
        return sum(1 for _ in repository.difference(self.base, self.root))


def find_revision(
    repository: Repository, name: str, *, remotes: Callable[[], Collection[str]] = tuple
) -> Revision:
    """Return what a name stands for.

    remotes: returns the names of remotes, for who asks for what was never fetched.
    Raises UnknownLogError, InvalidNameError, ForgottenValueError, and StoreError and its kin.
    """
    if _BETWEEN not in name:
        return _find(repository, name, remotes)
    start, _, end = name.partition(_BETWEEN)
    base = _find(repository, start or DEFAULT_LOG, remotes).root
    target = _find(repository, end or DEFAULT_LOG, remotes)
    return Revision(name, target.log, target.root, base)


def split_age(name: str) -> tuple[str, int | None]:
    """Return `main` and 1 for `main@{1}`, and None where no age is written."""
    plain, found, digits = name.removesuffix("}").rpartition("@{")
    if not (found and plain and name.endswith("}")):
        return name, None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _NUMBER_DIGITS):
        return name, None
    return plain, int(digits)


def root_of(repository: Repository, ref: str, age: int | None, *, name: str) -> ObjectId | None:
    """Return what a ref is, or was so many changes ago; None if there is no such ref.

    name: how it was written, for ForgottenValueError.
    """
    found = repository.store.ref(ref)
    if found is None or age is None:
        return None if found is None else found.root
    entries = repository.store.reflog(ref, age + 1)
    if age >= len(entries):
        raise ForgottenValueError(name, short_name(ref), len(entries))
    return entries[age].root


def short_name(ref: str) -> str:
    """Return the shortest name that stands for a ref."""
    return ref.removeprefix(LOG_PREFIX).removeprefix(REMOTE_PREFIX)


def _find(repository: Repository, name: str, remotes: Callable[[], Collection[str]]) -> Revision:
    plain, age = split_age(name)
    remote, slash, log = plain.partition("/")
    candidates = [(log_ref(plain), plain)] if is_log_name(plain) else []
    if slash and is_remote_name(remote) and is_log_name(log):
        candidates.append((tracking_ref(remote, log), log))
    for ref, called in candidates:
        root = root_of(repository, ref, age, name=name)
        if root is not None:
            return Revision(name, called, root)
    if not candidates:
        check_log_name(plain)
    refs = repository.store.refs()
    known = [short_name(ref) for ref in refs]
    is_fetched = any(ref.startswith(tracking_ref(remote, "")) for ref in refs)
    if slash and (is_fetched or remote in remotes()):
        see = f"`msglog fetch {remote}` finds out what is there."
        there = [one for one in known if one.startswith(f"{remote}/")]
        raise UnknownLogError(plain, there, make=False, see=see)
    raise UnknownLogError(plain, known)
