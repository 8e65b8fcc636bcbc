"""An account as a whole: what is fine, and what each thing that is wrong is called."""

from typing import Any

import pytest

from msglog.account.checkup import (
    CLOCK_SLACK,
    EARLIEST,
    FEW_BYTES,
    FEW_FILES,
    LEAST_BYTES,
    Checkup,
    Repository,
    Start,
    check_account,
)
from msglog.account.record import User
from msglog.account.role import Role
from msglog.dataclass import replace

ANN = User("ann", Role.ADMIN, EARLIEST)
BOB = User("bob", Role.WRITE, EARLIEST)

GOOD = Checkup(
    path="/home/server/.msglog-server",
    owner=1001,
    runner=1001,
    login="server",
    shell="/bin/dash",
    start=Start(),
    repositories=(Repository("main"), Repository("team/ops")),
    main="main",
    users=((ANN, 1), (BOB, 2)),
    free_bytes=FEW_BYTES,
    free_files=None,
    now=EARLIEST,
    latest=EARLIEST + CLOCK_SLACK,
)


def codes(**changes: Any) -> list[tuple[str, str]]:
    found = check_account(replace(GOOD, **changes))
    assert all(finding.remedy.endswith(".") and finding.what for finding in found)
    return [(finding.code, finding.severity.value) for finding in found]


def test_a_good_account_is_good() -> None:
    assert codes() == []
    assert codes(shell="/bin/sh", free_files=FEW_FILES) == []
    assert codes(shell="") == []  # sshd takes /bin/sh


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"login": ""}, "no-login"),
        ({"foreign": ("/a/account.db-wal",)}, "foreign-files"),
        ({"shell": "/usr/sbin/nologin"}, "shell-closed"),
        ({"shell": "/bin/false", "start": Start(why="exit status 1")}, "shell-closed"),
        ({"start": Start(why="not found")}, "not-starting"),
        ({"start": Start(before="Welcome!\n")}, "shell-prints"),
        ({"shell": "/bin/bash", "start": Start(before="Welcome!\n")}, "shell-prints"),
        ({"repositories": (Repository("main", "it is damaged"),)}, "repository"),
        ({"repositories": (Repository("team/ops"),)}, "no-main"),
        ({"free_bytes": LEAST_BYTES - 1}, "disk"),
        ({"free_files": FEW_FILES - 1}, "disk-files"),
        ({"now": EARLIEST - 1}, "clock"),
        ({"latest": EARLIEST + CLOCK_SLACK + 1}, "clock"),
    ],
)
def test_an_error_is_named(changes: dict[str, Any], code: str) -> None:
    assert codes(**changes) == [(code, "error")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"runner": 0}, "other-user"),
        ({"shell": "/bin/bash"}, "shell-reads-files"),
        ({"shell": "/usr/bin/zsh"}, "shell-reads-files"),
        ({"users": ()}, "no-users"),
        ({"users": ((ANN, 0), (BOB, 1))}, "no-keys"),
        ({"free_bytes": FEW_BYTES - 1}, "disk"),
    ],
)
def test_a_warning_is_named(changes: dict[str, Any], code: str) -> None:
    assert codes(**changes) == [(code, "warning")]


def test_nobody_has_to_be_an_administrator() -> None:
    assert codes(users=((BOB, 1),)) == []


def test_several_foreign_files_are_one_finding() -> None:
    (finding,) = check_account(replace(GOOD, foreign=("/a", "/b", "/c")))
    assert finding.where == "/a"
    assert "2 more" in finding.what
