"""What is told of the machine."""

import os
import platform
from pathlib import Path

from tests.bench.machine import busy_seconds, describe


def test_it_names_parts_and_not_places(tmp_path: Path) -> None:
    found = describe(tmp_path)
    assert {"processor", "cores", "kernel", "Python", "SQLite", "msglog", "paramiko"} <= set(found)
    text = " ".join(found.values())
    assert platform.node() not in text.split()
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text.split()


def test_how_long_all_processors_have_worked(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    file.write_text("cpu  100 20 30 99999 88888 4 6 7 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    assert busy_seconds(file) == 160 / os.sysconf("SC_CLK_TCK")
    assert busy_seconds() > 0
