"""Terminals that can do nothing but show text, and people who want no colours: every command."""

import re

import pytest

from tests.porcelain.conftest import CommandLine
from tests.porcelain.scenarios import SCENARIOS, fill
from tests.porcelain.terminal import on_terminal

ESCAPE = "\x1b"
COLOURED = re.compile(r"\x1b\[(?!0?m)[0-9;]+m")
OTHERS = [
    ["help"],
    ["help", "list"],
    ["list", "--help"],
    ["--version"],
    ["list", "--threads"],
    ["list", "--log", "mian"],
    ["show", "ffff"],
    ["pull", "orign"],
    ["lsit"],
    ["completion", "bash"],
]


def lines(oid: str) -> list[list[str]]:
    said = [[oid if word == "ID" else word for word in words] for words, _, _ in SCENARIOS]
    return [*OTHERS, *said]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show progress from the first moment on."""
    monkeypatch.setattr("porcelain.progress._PATIENCE", 0.0)
    monkeypatch.setattr("porcelain.progress._INTERVAL", 0.0)


@pytest.mark.parametrize("error", [False, True], ids=["output", "errors"])
def test_a_dumb_terminal_is_sent_text_alone(cli: CommandLine, *, error: bool) -> None:
    for words in lines(fill(cli)):
        result = on_terminal(cli, *words, error=error, environment={"TERM": "dumb"})
        assert ESCAPE not in result.out + result.error, words


@pytest.mark.parametrize("error", [False, True], ids=["output", "errors"])
def test_no_color_means_no_color(cli: CommandLine, *, error: bool) -> None:
    environment = {"TERM": "xterm-256color", "NO_COLOR": "1"}
    for words in lines(fill(cli)):
        result = on_terminal(cli, "--no-pager", *words, error=error, environment=environment)
        assert not COLOURED.search(result.out + result.error), words


def test_the_same_commands_are_coloured_otherwise(cli: CommandLine) -> None:
    """So that the others can fail."""
    for words in (["show", fill(cli)], ["list"], ["stats"], ["search", "seen"]):
        result = on_terminal(cli, *words, environment={"TERM": "xterm-256color"})
        assert COLOURED.search(result.out), words
