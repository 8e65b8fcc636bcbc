"""How msglog is started: the interpreter of the environment, and no version manager's shim."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbing.program import ProgramNotFoundError, find_program, running_program


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment: its python is a link, and must be named by the link."""
    folder = tmp_path / "venv" / "bin"
    executable(tmp_path / "usr" / "python3.11", "\x7fELF")
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(tmp_path / "usr" / "python3.11")
    executable(folder / "msglog", "#!")
    return folder


def test_the_running_one_starts_isolated() -> None:
    program = running_program()
    shown = subprocess.run(
        [program.interpreter, "-I", "-c", "import msglog, sys; print(sys.flags.isolated)"],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": "/nonexistent", "PATH": os.defpath},
        cwd="/",
    )
    assert shown.stdout == b"1\n"
    assert Path(program.script).name == "msglog"
    assert Path(program.interpreter).parent == Path(sys.executable).parent


def test_a_virtual_environment_is_named_as_it_is(environment: Path) -> None:
    program = find_program([str(environment / "python")], [], "")
    assert program.interpreter == str(environment / "python")
    assert program.script == str(environment / "msglog")


def test_shims_are_passed_over(tmp_path: Path, environment: Path) -> None:
    shims = [
        executable(tmp_path / "manager" / "shims" / "python", "\x7fELF"),
        executable(tmp_path / "bin" / "python", '#!/bin/sh\nexec python3 "$@"\n'),
        executable(tmp_path / "mise" / "mise", "\x7fELF"),
        tmp_path / "nothing" / "python",
        Path("python"),
    ]
    (tmp_path / "link").mkdir()
    linked = tmp_path / "link" / "python"
    linked.symlink_to(tmp_path / "mise" / "mise")
    names = [str(shim) for shim in [*shims, linked]]
    with pytest.raises(ProgramNotFoundError, match="interpreter"):
        find_program(names, [str(environment)], "")
    found = find_program([*names, str(environment / "python")], [], "")
    assert found.interpreter == str(environment / "python")


def test_the_script_may_be_elsewhere(tmp_path: Path, environment: Path) -> None:
    (environment / "msglog").unlink()
    elsewhere = executable(tmp_path / "scripts" / "msglog", "#!")
    python = str(environment / "python")
    assert find_program([python], [str(elsewhere.parent)], "").script == str(elsewhere)
    assert find_program([python], [], str(elsewhere)).script == str(elsewhere)
    for called in ("", "msglog", str(tmp_path / "scripts" / "pytest")):
        with pytest.raises(ProgramNotFoundError, match="msglog program"):
            find_program([python], [], called)
