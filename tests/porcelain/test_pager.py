import sys
from pathlib import Path

import pytest

from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that writes down what it is given, and how it was started."""
    script = tmp_path / "pager.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "data = sys.stdin.buffer.read()\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_bytes(data)\n"
        "print('paged', *map(os.environ.get, ['LESS', 'LESSCHARSET']), *sys.argv[1:])\n"
    )
    return f"{sys.executable} {script}"


def test_a_list_on_a_terminal_goes_through_the_pager(
    cli: CommandLine, pager: str, tmp_path: Path
) -> None:
    cli.ok("add", "hello")
    result = on_terminal(cli, "list", environment={"MSGLOG_PAGER": f"{pager} 'a b'"})
    assert (result.status, result.out, result.error) == (0, "paged FRX utf-8 a b\n", "")
    seen = (tmp_path / "seen").read_text()
    assert "hello" in seen
    assert "\x1b[" in seen


def test_which_pager(cli: CommandLine, pager: str) -> None:
    def says(name: str) -> str:
        return f"{pager} {name}"

    def paged(**environment: str) -> str:
        return on_terminal(cli, "list", environment=environment).out

    assert "mine" in paged(PAGER=says("mine"))
    cli.ok("config", "--global", "set", "core.pager", says("configured"))
    assert "configured" in paged(PAGER=says("mine"))
    assert "special" in paged(PAGER=says("mine"), MSGLOG_PAGER=says("special"))
    assert "paged -R utf-8" in paged(MSGLOG_PAGER=says("x"), LESS="-R")
    assert "paged FRX ascii" in paged(MSGLOG_PAGER=says("x"), LESSCHARSET="ascii")
    assert "paged FRX None" in paged(MSGLOG_PAGER=says("x"), LESSCHARDEF="8bcccbcc18b95.b")


def test_a_dumb_terminal_has_no_pager_unless_it_is_meant(cli: CommandLine, pager: str) -> None:
    cli.ok("add", "hello")
    dumb = {"TERM": "dumb", "PAGER": pager}
    assert "hello" in on_terminal(cli, "list", environment=dumb).out
    assert "\x1b" not in on_terminal(cli, "list", environment=dumb).out
    assert "paged" in on_terminal(cli, "list", environment={**dumb, "MSGLOG_PAGER": pager}).out


def test_without_a_pager_it_is_written_straight(cli: CommandLine, pager: str) -> None:
    cli.ok("add", "hello")
    for command in ("", "cat", "/no/such/pager", "'unfinished"):
        result = on_terminal(cli, "list", environment={"MSGLOG_PAGER": command})
        assert (result.status, result.error) == (0, "")
        assert "hello" in result.out
    mine = {"MSGLOG_PAGER": pager}
    for arguments in (["list", "--no-pager"], ["--no-pager", "list"], ["list", "--json"]):
        assert "hello" in on_terminal(cli, *arguments, environment=mine).out
    assert "hello" in cli.run("list", environment=mine).out


def test_a_pager_that_quits_early_ends_the_list_in_peace(cli: CommandLine) -> None:
    cli.ok("add", "--batch", "-q", stdin="x\n" * 5000)
    result = on_terminal(cli, "list", environment={"MSGLOG_PAGER": "true"})
    assert (result.status, result.out, result.error) == (0, "", "")
