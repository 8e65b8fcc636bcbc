"""Running what is measured."""

import sys
from pathlib import Path

import pytest

from tests.bench.command import Command, CommandError, output, run, timed


def python(folder: Path, text: str, failure: str = "") -> Command:
    return Command((sys.executable, "-I", "-S", "-c", text), folder, {}, failure)


def test_standard_input_is_fed(tmp_path: Path) -> None:
    text = "import sys; open('got', 'w').write(sys.stdin.read())"
    run(python(tmp_path, text), stdin=iter([b"one ", b"two"]))
    assert (tmp_path / "got").read_text() == "one two"


def test_a_command_that_fails_counts_as_no_figure(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="exit status 3: why"):
        timed([python(tmp_path, "import sys; print('why', file=sys.stderr); sys.exit(3)")])


def test_a_command_that_only_says_that_it_failed(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="exit status 0: received: 0"):
        timed([python(tmp_path, "print('received: 0')", "received: 0")])
    assert timed([python(tmp_path, "print('received: 7')", "received: 0")]) > 0


def test_a_program_that_is_not_there_has_no_version() -> None:
    assert output("there-is-no-such-program", "--version") == ""
