"""A home with a server account, which is that of the UNIX user who runs the tests."""

import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.porcelain.admin.running import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    path = tmp_path / "home"
    path.mkdir(mode=0o755)
    entry = SimpleNamespace(pw_name="server", pw_dir=str(path), pw_shell="/bin/sh", pw_gid=1001)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    made = Home(path)
    made.do("init")
    return made
