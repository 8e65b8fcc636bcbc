import os
import pty
import sys
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


def test_with_nothing_to_say_the_editor_opens(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path
) -> None:
    written = editor(tmp_path, "\n  a title\n\n# not this\na body \n\n")
    result = on_terminal(cli, "add", stdin=keyboard, environment={"EDITOR": written})
    assert result.status == 0, result
    assert cli.run("list", "--json").json()[0]["body"] == "  a title\n\na body"
    assert "the log main" in (tmp_path / "template").read_text()


def test_an_empty_message_is_not_added(
    cli: CommandLine, keyboard: BinaryIO, tmp_path: Path
) -> None:
    for written, status in (
        (editor(tmp_path, ""), 2),
        (editor(tmp_path, "text", status=3), 7),
        ("/no/such/editor", 7),
        ("'unfinished", 7),
        (editor(tmp_path, "\udcff"), 7),
    ):
        result = on_terminal(cli, "add", stdin=keyboard, environment={"VISUAL": written})
        assert result.status == status
        assert result.error.startswith("msglog: error: ")
    assert cli.ok("list") == ""


def test_which_editor(cli: CommandLine, keyboard: BinaryIO, tmp_path: Path) -> None:
    good = editor(tmp_path, "text")
    cli.ok("config", "--global", "set", "core.editor", good)
    environment = {"VISUAL": "/no/such/editor", "EDITOR": "/no/such/editor"}
    assert on_terminal(cli, "add", stdin=keyboard, environment=environment).status == 0
    environment = {"MSGLOG_EDITOR": "/no/such/editor"}
    assert on_terminal(cli, "add", stdin=keyboard, environment=environment).status == 7


def test_comments_go_and_the_rest_stays() -> None:
    assert without_comments("\n\n# a\nb  \n\n #c\n# d\n\n") == "b\n\n #c"
