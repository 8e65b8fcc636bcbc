"""A home with a server account."""

from pathlib import Path

import pytest

from tests.porcelain.admin.running import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = tmp_path / "home"
    path.mkdir(mode=0o755)
    made = Home(path)
    made.do("init")
    return made
