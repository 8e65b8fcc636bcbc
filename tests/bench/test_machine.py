"""What is told of the machine."""

import platform
from pathlib import Path

from tests.bench.machine import describe


def test_it_names_parts_and_not_places(tmp_path: Path) -> None:
    found = describe(tmp_path)
    assert {"processor", "cores", "kernel", "Python", "SQLite", "msglog", "paramiko"} <= set(found)
    text = " ".join(found.values())
    assert platform.node() not in text.split()
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text.split()
