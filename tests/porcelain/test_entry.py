"""The console script, interrupted before there is anything of msglog to be told."""

import subprocess
import sys

import pytest

from porcelain import cli
from porcelain.entry import run

PROGRAM = """
import sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "msglog.message":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from porcelain.entry import run
sys.exit(run())
"""


def test_ctrl_c_while_it_is_imported() -> None:
    words = [sys.executable, "-c", PROGRAM, "add", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_status_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "run", lambda: 7)
    assert run() == 7
