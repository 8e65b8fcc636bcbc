"""The starter that tells peak memory."""

import subprocess
import sys
from pathlib import Path

STARTER = Path(__file__).with_name("peak_memory.py")


def watched(file: Path, text: str) -> int:
    python = [sys.executable, "-I", "-S"]
    words = [*python, str(STARTER), str(file), *python, "-c", text]
    return subprocess.run(words, check=False).returncode


def test_it_tells_what_the_command_took_and_not_what_we_did(tmp_path: Path) -> None:
    ballast = bytearray(200 << 20)
    assert watched(tmp_path / "small", "pass") == 0
    assert watched(tmp_path / "large", "bytearray(100 << 20)") == 0
    assert len(ballast) == 200 << 20
    small, large = (int((tmp_path / name).read_text()) for name in ("small", "large"))
    assert small < 64 << 20
    assert 100 << 20 <= large < 164 << 20


def test_it_passes_the_exit_status_on(tmp_path: Path) -> None:
    assert watched(tmp_path / "peak", "raise SystemExit(5)") == 5
