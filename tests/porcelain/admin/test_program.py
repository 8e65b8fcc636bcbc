"""Whether msglog starts the way sshd starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

from msglog.account.forced_command import Program
from plumbing.program import ProgramNotFoundError, running_program
from porcelain.admin.program import check_starts, why_unstartable


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_running_one_starts_as_sshd_would_start_it() -> None:
    assert why_unstartable(running_program()) == ""
    check_starts(running_program())


def test_what_only_works_when_typed_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with packages that were installed below a user's home."""
    (tmp_path / "elsewhere.py").write_text("")
    script = executable(tmp_path / "msglog", "import elsewhere\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    subprocess.run([sys.executable, str(script)], check=True)
    program = Program(sys.executable, str(script))
    assert "No module named 'elsewhere'" in why_unstartable(program)
    with pytest.raises(ProgramNotFoundError, match="No module named 'elsewhere'"):
        check_starts(program)
    silent = executable(tmp_path / "silent", "raise SystemExit(3)\n")
    assert "no reason" in why_unstartable(Program(sys.executable, str(silent)))
    assert "cannot be run" in why_unstartable(Program(str(tmp_path / "none"), str(script)))
