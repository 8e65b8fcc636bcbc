"""What is wrong with a server account as a whole: checks over facts that were gathered."""

from __future__ import annotations

from pathlib import PurePath

from msglog.account.finding import Finding, Severity
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from msglog.account.record import User

PLAIN_SHELLS = frozenset({"sh", "dash", "ash", "ksh", "ksh93", "mksh", "posh", "yash"})
"""Shells that read no file of the account before they run a command."""

CLOSED_SHELLS = frozenset({"nologin", "false", "true", "sync"})
LEAST_BYTES = 64 * 1024 * 1024
FEW_BYTES = 1024 * 1024 * 1024
FEW_FILES = 1000
EARLIEST = 1_767_225_600_000_000
"""2026 began then, in microseconds since 1970 UTC: no clock is right that says less."""

CLOCK_SLACK = 300_000_000
"""So many microseconds may two clocks disagree."""

_USER_ADD = "Add people with `msglog admin user add NAME --role write`."


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the account. why: it cannot be opened, or ""."""

    name: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """What came of starting msglog as sshd does: through the account's shell.

    why: it did not start, or "". before: what was printed in front of its answer.
    """

    why: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """All that the checks look at.

    path: of the account. owner: the number of the UNIX user it belongs to; runner: of the one who
    asks. login: the owner's name, or "" if nobody has this number. shell: their login shell.
    free_bytes, free_files: what is left on the account's disk; files is None where there is no
    limit. now, latest: the clock, and the latest time in the account, in microseconds since 1970.
    users: with the number of keys of each. foreign: files in the account that belong to others.
    """

    path: str
    owner: int
    runner: int
    login: str
    shell: str
    start: Start
    repositories: tuple[Repository, ...]
    main: str
    users: tuple[tuple[User, int], ...]
    free_bytes: int
    free_files: int | None
    now: int
    latest: int
    foreign: tuple[str, ...] = ()


Check: TypeAlias = "Callable[[Checkup], Iterator[Finding]]"


def check_account(checkup: Checkup) -> list[Finding]:
    """Return what all checks find."""
    return [finding for check in CHECKS for finding in check(checkup)]


def _check_owner(checkup: Checkup) -> Iterator[Finding]:
    if not checkup.login:
        yield Finding(
            Severity.ERROR,
            "no-login",
            checkup.path,
            None,
            f"it belongs to user {checkup.owner}, whom this machine does not know",
            "Give it to the server's UNIX account with `chown -R`.",
        )
    elif checkup.runner != checkup.owner:
        yield Finding(
            Severity.WARNING,
            "other-user",
            checkup.path,
            None,
            f"it belongs to {checkup.login}, and somebody else looks at it, so that what"
            " only shows in that account stays unseen",
            f"Run `msglog admin doctor` as {checkup.login}.",
        )


def _check_files(checkup: Checkup) -> Iterator[Finding]:
    if checkup.foreign and checkup.login:
        first, *more = checkup.foreign
        yield Finding(
            Severity.ERROR,
            "foreign-files",
            first,
            None,
            f"it does not belong to {checkup.login}, as after work as root"
            f"{f', nor do {len(more)} more' if more else ''}",
            f"Run `chown -R {checkup.login}: {checkup.path}` as root.",
        )


def _check_shell(checkup: Checkup) -> Iterator[Finding]:
    name = PurePath(checkup.shell).name
    where = f"login shell {checkup.shell or '/bin/sh'}"
    change = f"Run `chsh -s /bin/dash {checkup.login or 'ACCOUNT'}` as root."
    if name in CLOSED_SHELLS:
        yield Finding(
            Severity.ERROR, "shell-closed", where, None, "it runs no forced command", change
        )
        return
    if checkup.start.why:
        yield Finding(
            Severity.ERROR,
            "not-starting",
            where,
            None,
            f"msglog does not start through it: {checkup.start.why}",
            "Run `msglog admin key sync` after msglog was moved; otherwise look at what it says.",
        )
    if checkup.start.before:
        yield Finding(
            Severity.ERROR,
            "shell-prints",
            where,
            None,
            f"it prints before msglog does, which no client understands: "
            f"{checkup.start.before[:80]!r}",
            f"Take that out of the account's start-up files (such as ~/.bashrc), or: {change}",
        )
    elif name and name not in PLAIN_SHELLS:
        yield Finding(
            Severity.WARNING,
            "shell-reads-files",
            where,
            None,
            f"{name} reads start-up files of the account before each forced command",
            change,
        )


def _check_repositories(checkup: Checkup) -> Iterator[Finding]:
    for repository in checkup.repositories:
        if repository.why:
            yield Finding(
                Severity.ERROR,
                "repository",
                f"repository {repository.name}",
                None,
                f"it cannot be used: {repository.why}",
                "Restore it from a backup if it is damaged, or install a newer msglog.",
            )
    if checkup.main not in {repository.name for repository in checkup.repositories}:
        yield Finding(
            Severity.ERROR,
            "no-main",
            checkup.path,
            None,
            f"there is no repository {checkup.main}, which `server@host` means",
            "Run `msglog admin init`.",
        )


def _check_users(checkup: Checkup) -> Iterator[Finding]:
    if not checkup.users:
        yield _note(checkup, "no-users", "there are no users yet", _USER_ADD)
        return
    for user, keys in checkup.users:
        if not keys:
            add = f"`msglog admin key add {user.name} FILE.pub`"
            yield _note(
                checkup,
                "no-keys",
                f"{user.name} has no key, and cannot come in",
                f"Add one with {add}.",
            )


def _check_disk(checkup: Checkup) -> Iterator[Finding]:
    free = checkup.free_bytes
    if free < FEW_BYTES:
        yield Finding(
            Severity.ERROR if free < LEAST_BYTES else Severity.WARNING,
            "disk",
            checkup.path,
            None,
            f"only {free // (1024 * 1024)} MiB are free on its disk",
            "Make room, or move the account to a larger disk.",
        )
    if checkup.free_files is not None and checkup.free_files < FEW_FILES:
        yield Finding(
            Severity.ERROR,
            "disk-files",
            checkup.path,
            None,
            f"only {checkup.free_files} more files can be made on its disk",
            "Remove files that are not needed.",
        )


def _check_clock(checkup: Checkup) -> Iterator[Finding]:
    if checkup.now < EARLIEST:
        what = "the clock is years late"
    elif checkup.latest > checkup.now + CLOCK_SLACK:
        late = (checkup.latest - checkup.now) // 60_000_000
        what = f"the clock is {late} minutes before what the account has seen already"
    else:
        return
    yield Finding(
        Severity.ERROR, "clock", "clock", None, what, "Have the clock set by NTP (`timedatectl`)."
    )


def _note(checkup: Checkup, code: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.WARNING, code, checkup.path, None, what, remedy)


CHECKS: tuple[Check, ...] = (
    _check_owner,
    _check_files,
    _check_shell,
    _check_repositories,
    _check_users,
    _check_disk,
    _check_clock,
)
"""All checks; each looks at everything that was gathered."""
