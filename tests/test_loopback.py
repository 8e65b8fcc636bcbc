"""What the tests read of their servers."""

import subprocess
import sys
from pathlib import Path

from tests.loopback import ServerLog

PROGRAM = """
import os, sys
os.write(2, b"before\\nrea")
os.write(2, b"dy\\n")
for line in sys.stdin:
    os.write(2, b"heard " + line.encode())
    print("told", flush=True)
"""


def test_all_that_was_said_is_in_the_file_once_somebody_asks(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server.stdin, server.stdout:
        log = ServerLog(server, tmp_path / "log", b"ready")
        assert log.ready.wait(60)
        for number in range(50):
            server.stdin.write(b"%d\n" % number)
            server.stdin.flush()
            assert server.stdout.readline() == b"told\n"
            log.catch_up()
            assert (tmp_path / "log").read_text().endswith(f"heard {number}\n")
    server.wait()
    log.join(60)
    assert not log.catch_up()
    assert (tmp_path / "log").read_text().startswith("before\nready\nheard 0\n")


def test_one_that_ends_is_waited_for_no_longer(tmp_path: Path) -> None:
    server = subprocess.Popen(["sh", "-c", "echo no >&2"], stderr=subprocess.PIPE)
    log = ServerLog(server, tmp_path / "log", b"ready")
    assert log.ready.wait(60)
    server.wait()
    assert (tmp_path / "log").read_text() == "no\n"
