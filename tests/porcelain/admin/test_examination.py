"""What `admin doctor` looks at, where it takes another user to see something."""

import os
from io import BytesIO
from pathlib import Path

from plumbing.context import Context
from plumbing.program import running_program
from porcelain.admin.examination import foreign_files, sshd_settings, start_through
from tests.porcelain.admin.running import Home


def test_files_of_others_are_found(home: Home) -> None:
    assert list(foreign_files(home.account, os.geteuid())) == []
    found = set(foreign_files(home.account, os.geteuid() + 1))
    store = home.account / "repositories" / "main" / "store.db"
    assert {str(store), str(store.parent), str(home.account / "account.db")} <= found


def test_a_machine_without_sshd_is_not_asked(tmp_path: Path) -> None:
    context = Context(
        directory=tmp_path,
        home=tmp_path,
        stdin=BytesIO(),
        stdout=BytesIO(),
        stderr=BytesIO(),
        environment={"PATH": ""},
    )
    assert sshd_settings(context, "server", tmp_path / "no-such-config") is None


def test_a_home_that_is_missing_does_not_keep_msglog_from_starting(tmp_path: Path) -> None:
    start = start_through("/bin/sh", running_program(), tmp_path / "missing")
    assert (start.why, start.before) == ("", "")
