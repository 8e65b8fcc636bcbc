"""Text profiles that name no place of this machine."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.bench.profile import STARTER, functions, importing, imports, profiling, shorten

SCRIPT = """
import os, sys, threading
def busy():
    for number in range(2_000_000): pass
thread = threading.Thread(target=busy); thread.start(); thread.join()
busy()
assert sys.argv[1:] == ["word"]
{end}
"""


@pytest.mark.parametrize("end", ["os._exit(3)", "sys.exit(3)"])
def test_every_thread_is_seen_however_it_ends(tmp_path: Path, end: str) -> None:
    script, file = tmp_path / "script.py", tmp_path / "profile"
    script.write_text(SCRIPT.format(end=end))
    words = [sys.executable, "-I", str(STARTER), str(file), str(script), "word"]
    assert subprocess.run(words, check=False).returncode == 3
    text = functions(file)
    (line,) = [line for line in text.splitlines() if "(busy)" in line]
    assert line.split()[0] == "2" or sys.version_info >= (3, 12)
    assert str(tmp_path) not in text


def test_paths_become_those_of_modules() -> None:
    for module, shown in ((threading, "threading.py"), (pytest, "pytest/__init__.py")):
        assert shorten(f"1 {module.__file__}:3(run)") == f"1 {shown}:3(run)"
    assert shorten("/nowhere/known/there.py:1(x)") == "there.py:1(x)"
    assert shorten("20/1 0.1 built-in a/b") == "20/1 0.1 built-in a/b"


def test_imports_by_their_own_time() -> None:
    text = "import time: self [us] | cumulative | imported package\n"
    text += "import time:      1500 |       1500 |   sqlite3.dbapi2\nimport time: 500 | 2000 | sqlite3\n"
    lines = imports(text).splitlines()
    assert lines[0] == "2 modules, 2.0 ms"
    assert [line.split()[-1] for line in lines[3:]] == ["sqlite3.dbapi2", "sqlite3"]
    assert imports("") == "nothing was told\n"


def test_how_a_script_is_started_instead() -> None:
    command = "/venv/python /venv/msglog receive-pack ann"
    assert importing(Path("/x")).line(command, "/venv/python") == (
        "/venv/python -X importtime /venv/msglog receive-pack ann 2>/x"
    )
    assert (
        profiling(Path("/x"))
        .line(command, "/venv/python")
        .startswith(f"/venv/python -I {STARTER} /x /venv/msglog")
    )
