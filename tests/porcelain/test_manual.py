"""Manual pages: one for each command, of which no reader complains, with all that the help has."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest

from porcelain.commands import COMMANDS, load
from porcelain.manual import escape, pages
from porcelain.parser import CommandParser
from tests.docs.console import ROOT, examples
from tests.porcelain.conftest import CommandLine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    read = runpy.run_path(str(ROOT / "docs" / "site" / "prose.py"))["read"]
    commands = ROOT / "docs" / "commands"
    for name, text in pages(lambda name: read((commands / f"{name}.md").read_text(), escape)):
        (folder / name).write_text(text)
    return folder


def test_no_reader_complains(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(["msglog.1", *(f"msglog-{command}.1" for command in COMMANDS)])
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("command", ["push", "add", "list", "remote", "admin", "cat-object"])
def test_all_that_the_help_has_is_read_there(folder: Path, command: str) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=500", f"msglog-{command}.1"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = re.sub(r".\x08", "", done.stdout)
    parser = CommandParser(prog=f"msglog {command}")
    load(command).configure(parser)
    for action in parser._actions:
        for option in action.option_strings:
            assert f" {option}" in shown
        for choice in action._get_subactions() if hasattr(action, "_get_subactions") else []:
            assert choice.dest in shown
    assert f"msglog-{command} - " in shown
    assert "EXIT STATUS" in shown
    for example, _ in examples(ROOT / "docs" / "commands" / f"{command}.md"):
        assert f"$ {example.splitlines()[0]}" in shown


def test_what_roff_would_obey_is_shown(empty: CommandLine, folder: Path) -> None:
    page = empty.ok("help", "--man", "completion")
    assert page.startswith((folder / "msglog-completion.1").read_text().partition(".SH SYN")[0])
    assert empty.ok("help", "--man") == (folder / "msglog.1").read_text()
    whole = (folder / "msglog-list.1").read_text()
    for line in (page + whole).splitlines():
        assert not line.startswith("'")
        assert line.startswith(".") <= (line[1:3].isupper() or line in (".nf", ".fi"))
