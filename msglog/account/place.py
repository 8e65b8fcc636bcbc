"""A file or folder that the keys of an account depend on: who may change it, who can read it."""

from __future__ import annotations

import stat

from msglog.account.finding import Finding, Severity
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder on the way to the keys, or of the account. mode: its permission bits.

    private: nobody else should even read it. folder: it is one. kept: it is the account's own, so
    that its mode may be put right, and not one that others use as well. passed: sshd comes
    by it, as the account's UNIX user.
    """

    path: str
    owner: int
    mode: int
    private: bool = False
    folder: bool = False
    kept: bool = False
    passed: bool = True


def check_place(place: Place, owner: int, *, strict: bool) -> Iterator[Finding]:
    """Yield what is wrong with a place.

    owner: who the account's files must belong to, unless root. strict: sshd refuses keys in what
    others may write to.
    """
    if place.owner not in (0, owner):
        yield _error(
            place,
            "owner",
            f"it belongs to user {place.owner}, who can replace what is in it",
            f"Run `chown {owner} {place.path}`.",
        )
    if place.mode & SHARED:
        then = "they could let themselves in"
        if place.passed and strict:
            then = "sshd then ignores the keys"
        yield _error(
            place,
            "mode",
            f"others may write to it (mode {place.mode:04o}); {then}",
            f"Run `chmod go-w {place.path}`.",
        )
    elif place.private and place.mode & _OTHERS:
        yield _error(
            place,
            "mode",
            f"others may look into it (mode {place.mode:04o})",
            f"Run `chmod go-rwx {place.path}`.",
        )
    if not place.passed or place.mode & _readers(place, owner):
        return
    if place.owner == owner:
        yield _error(
            place,
            "unreadable-file",
            f"sshd cannot read it: its own mode keeps the account out (mode {place.mode:04o})",
            f"Run `chmod u+{'x' if place.folder else 'r'} {place.path}`.",
        )
    elif place.owner == 0:
        yield _error(
            place,
            "unreadable-file",
            f"sshd cannot read it: it is root's, and keeps the account out (mode {place.mode:04o})",
            f"Run `chown {owner} {place.path}` as root.",
        )


def mended(place: Place, owner: int) -> Place:
    """Return a place as it should be, or as it is where that is not ours to change."""
    if not place.kept or place.owner != owner or place.mode & stat.S_ISVTX:
        return place
    mode = place.mode & ~(_OTHERS if place.private else SHARED)
    return replace(place, mode=mode | (_needed(place) if place.passed else 0))


def _readers(place: Place, owner: int) -> int:
    """Return the bits of which one must be set for the account to read it.

    A group is taken to be one of the account's: this is to find what certainly fails.
    """
    needed = _needed(place)
    return needed if place.owner == owner else needed >> 3 | needed >> 6


def _needed(place: Place) -> int:
    return stat.S_IXUSR if place.folder else stat.S_IRUSR


def _error(place: Place, code: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, code, place.path, None, what, remedy)
