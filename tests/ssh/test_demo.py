"""The demonstration that `make demo` plays, played."""

import io
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.ssh import demo
from tests.ssh.accounts import AccountStore


def test_the_walk_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account_store: AccountStore
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = io.StringIO()
    assert demo.main(out, account_store.fresh()) == 0, out.getvalue()
    shown = out.getvalue()
    assert "user1$ msglog add 'msg from user 1'\n" in shown
    assert "user3$ msglog push origin\nmsglog: error: not authorised" in shown
    assert shown.splitlines()[-1].startswith("demo: all ")
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_does_not_do_what_it_should_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "msglog").write_text("#!/bin/sh\nexit 0\n")
    (programs / "msglog").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    out = io.StringIO()
    assert demo.main(out) == 1
    assert out.getvalue().splitlines()[-1].startswith("demo: failed after ")
    shutil.rmtree(programs)
    assert list(tmp_path.iterdir()) == []
