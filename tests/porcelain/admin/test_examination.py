"""What `admin doctor` looks at, where it takes another user to see something."""

import os
from io import BytesIO
from pathlib import Path

import pytest

from msglog.dataclass import replace
from plumbing.context import Context
from plumbing.program import running_program
from porcelain.admin.examination import foreign_files, has_password, sshd_settings, start_through
from tests.porcelain.admin.running import Home


def _context(folder: Path) -> Context:
    return Context(
        directory=str(folder),
        home=str(folder),
        stdin=BytesIO(),
        stdout=BytesIO(),
        stderr=BytesIO(),
        environment={"PATH": str(folder)},
    )


def test_files_of_others_are_found(home: Home) -> None:
    assert list(foreign_files(home.account, os.geteuid())) == []
    found = set(foreign_files(home.account, os.geteuid() + 1))
    store = home.account / "repositories" / "main" / "store.db"
    assert {str(store), str(store.parent), str(home.account / "account.db")} <= found


def test_a_machine_without_sshd_is_not_asked(tmp_path: Path) -> None:
    context = replace(_context(tmp_path), environment={"PATH": ""})
    assert sshd_settings(context, "server", tmp_path / "no-such-config") is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("server L 2026-11-24 0 99999 7 -1", False),
        ("server LK 2026-11-24 0 99999 7 -1 (Password locked.)", False),
        ("server P 2026-11-24 0 99999 7 -1", True),
        ("server NP 2026-11-24 0 99999 7 -1", True),
        ("other L 2026-11-24 0 99999 7 -1", True),
        ("", True),
    ],
)
def test_passwd_is_asked_for_a_password(tmp_path: Path, said: str, expected: bool) -> None:  # noqa: FBT001 - from a table
    program = tmp_path / "passwd"
    program.write_text(f'#!/bin/sh\n[ "$*" = "-S server" ] && echo "{said}"\n')
    program.chmod(0o755)
    assert has_password("server", _context(tmp_path)) is expected
    program.write_text("#!/bin/sh\necho server L; echo You may not. >&2; exit 1\n")
    assert has_password("server", _context(tmp_path))


def test_a_home_that_is_missing_does_not_keep_msglog_from_starting(tmp_path: Path) -> None:
    start = start_through("/bin/sh", running_program(), tmp_path / "missing")
    assert (start.why, start.before) == ("", "")
