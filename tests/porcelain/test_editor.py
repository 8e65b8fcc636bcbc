import os
import pty
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from porcelain.editor import without_comments
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal


@pytest.fixture
def keyboard() -> Iterator[BinaryIO]:
    """A standard input that is a terminal on which nobody types."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "rb") as stream:
        yield stream
    os.close(master)


def editor(tmp_path: Path, text: str, status: int = 0) -> str:
    script = tmp_path / f"editor{len(list(tmp_path.iterdir()))}.py"
    script.write_text(
        "import pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        f"pathlib.Path({str(tmp_path / 'template')!r}).write_bytes(path.read_bytes())\n"
        f"path.write_text({text!r} + path.read_text(), errors='surrogateescape')\n"
        f"sys.exit({status})\n"
    )
    return f"{sys.executable} {script}"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files: what is kept of what was written stays in no other."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_with_nothing_to_say_the_editor_opens(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path, scratch: Path
) -> None:
    written = editor(tmp_path, "\n  a title\n\n# not this\na body \n\n")
    result = on_terminal(cli, "add", stdin=keyboard, environment={"EDITOR": written})
    assert result.status == 0, result
    assert cli.run("list", "--json").json()[0]["body"] == "  a title\n\na body"
    assert "# Log:    main\n# Author: ann\n" in (tmp_path / "template").read_text()
    assert list(scratch.iterdir()) == []


def test_the_template_shows_what_is_known(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path
) -> None:
    first = cli.ok("add", "one\x1b[2J\ntwo" + "\nmore" * 20, "--author", "bob").strip()
    cli.ok("config", "set", "add.tags", "shift, beamline,")
    arguments = ["add", "--tag", "x", "--meta", "k=1", "--reply-to", first]
    environment = {"EDITOR": editor(tmp_path, "yes")}
    assert on_terminal(cli, *arguments, stdin=keyboard, environment=environment).status == 0
    shown = (tmp_path / "template").read_text()
    (reply,) = cli.run("list", "--json", "-n1").json()
    assert f"# Tags:   beamline, shift, x\n# Meta:   k=1\n# Reply:  {reply['reply_to']}\n" in shown
    assert "#   bob wrote:\n#   one\\x1b[2J\n#   two\n" in shown
    assert shown.count("more") == 8
    assert all(line.startswith("#") for line in shown.splitlines()[1:])
    assert (reply["body"], reply["tags"]) == ("yes", ["beamline", "shift", "x"])


def test_what_was_written_is_not_lost_where_it_cannot_be_added(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path, scratch: Path
) -> None:
    work = "hours of work"
    for text, status, expected in ((work + "x" * (16 << 20), 0, 2), (work, 3, 7)):
        environment = {"EDITOR": editor(tmp_path, text, status)}
        result = on_terminal(cli, "add", stdin=keyboard, environment=environment)
        assert result.status == expected
        (kept,) = scratch.iterdir()
        assert result.error.endswith(f" What you wrote is kept in {kept}.\n")
        assert kept.read_text().startswith(work)
        kept.unlink()
    environment = {"EDITOR": editor(tmp_path, "", 3)}
    assert on_terminal(cli, "add", stdin=keyboard, environment=environment).status == 7
    assert list(scratch.iterdir()) == []


INTERRUPTED = """
import os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text("hours of work")
os.kill(os.getppid(), signal.SIGINT)
assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
"""
END_ITSELF = "signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)"


def test_an_interrupt_while_the_editor_runs_is_the_editors(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path, scratch: Path
) -> None:
    """As the terminal sends it to all that run on it; the draft was removed unread."""
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    environment = {"EDITOR": f"{sys.executable} {script}"}
    assert on_terminal(cli, "add", stdin=keyboard, environment=environment).status == 0
    assert cli.run("list", "--json").json()[0]["body"] == "hours of work"
    script.write_text(INTERRUPTED + END_ITSELF)
    result = on_terminal(cli, "add", stdin=keyboard, environment=environment)
    (kept,) = scratch.iterdir()
    assert kept.read_text() == "hours of work"
    assert result.status == 7
    assert "(the editor was ended by SIGINT). What you wrote is kept in" in result.error
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("after", ["", "; os.mkdir(sys.argv[1])"])
def test_an_editor_that_leaves_no_file(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path, after: str
) -> None:
    script = tmp_path / "removing.py"
    script.write_text(f"import os, sys; os.remove(sys.argv[1]){after}")
    environment = {"EDITOR": f"{sys.executable} {script}"}
    result = on_terminal(cli, "add", stdin=keyboard, environment=environment)
    assert result.status == 7
    assert "nothing was added (the editor left no file to read: " in result.error


def test_an_empty_message_is_not_added(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path
) -> None:
    for written, status in (
        (editor(tmp_path, ""), 2),
        (editor(tmp_path, "text", status=3), 7),
        ("/no/such/editor", 7),
        ("'unfinished", 7),
        (" ", 7),
        (editor(tmp_path, "\udcff"), 7),
    ):
        result = on_terminal(cli, "add", stdin=keyboard, environment={"VISUAL": written})
        assert result.status == status
        assert result.error.startswith("msglog: error: ")
    assert cli.ok("list") == ""


def test_what_is_wrong_with_the_rest_is_said_before_the_editor_opens(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path
) -> None:
    environment = {"EDITOR": editor(tmp_path, "text")}
    result = on_terminal(cli, "add", "--tag", "x" * 200, stdin=keyboard, environment=environment)
    assert result.status == 2
    assert not (tmp_path / "template").exists()


def test_which_editor(cli: CommandLine, keyboard: BinaryIO, tmp_path: Path) -> None:
    good = editor(tmp_path, "text")
    cli.ok("config", "--global", "set", "core.editor", good)
    environment = {"VISUAL": "/no/such/editor", "EDITOR": "/no/such/editor"}
    assert on_terminal(cli, "add", stdin=keyboard, environment=environment).status == 0
    environment = {"MSGLOG_EDITOR": "/no/such/editor"}
    assert on_terminal(cli, "add", stdin=keyboard, environment=environment).status == 7


def test_comments_go_and_the_rest_stays() -> None:
    assert without_comments("\n\n# a\nb  \n\n #c\n# d\n\n") == "b\n\n #c"
