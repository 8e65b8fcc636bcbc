import re

import pytest

from porcelain.console import FEW, MANY
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal


def test_colours_where_they_are_wanted(cli: CommandLine) -> None:
    cli.ok("add", "hello")
    one = ["list", "--no-pager"]

    def coloured(*arguments: str, **environment: str) -> bool:
        return "\x1b[" in cli.run(*arguments, environment=environment).out

    def coloured_there(*arguments: str, **environment: str) -> bool:
        return "\x1b[" in on_terminal(cli, *arguments, environment=environment).out

    assert not coloured(*one)
    assert coloured(*one, "--color", "always")
    assert coloured(*one, "--color=always", NO_COLOR="1")
    assert coloured(*one, CLICOLOR_FORCE="1")
    assert not coloured(*one, CLICOLOR_FORCE="0")
    assert not coloured(*one, CLICOLOR_FORCE="1", NO_COLOR="1")
    assert coloured_there(*one)
    assert not coloured_there(*one, "--color=never")
    assert not coloured_there(*one, NO_COLOR="1")
    assert not coloured_there(*one, TERM="dumb")
    assert not coloured("list", "--json", "--color=always")
    cli.fails(2, "list", "--color", "sometimes")


def test_colours_change_nothing_else(cli: CommandLine) -> None:
    cli.ok("add", "[bold]hello[/bold] :smile: world", "--tag", "[t]", "--meta", "a=[/]")
    for arguments in (["list"], ["list", "--oneline"], ["status"]):
        plain = cli.ok(*arguments)
        assert re.sub(r"\x1b\[[0-9;]*m", "", cli.ok(*arguments, "--color", "always")) == plain


def test_help_in_colours_is_the_same_help(cli: CommandLine) -> None:
    assert "\x1b[" in cli.ok("--color", "always", "add", "--help")
    assert "--reply-to ID" in cli.ok("help", "add")
    for width in ("40", "200"):
        lines = cli.run("help", "list", environment={"COLUMNS": width}).out.splitlines()
        assert max(map(len, lines)) <= int(width)


def test_as_many_colours_as_the_terminal_has(cli: CommandLine) -> None:
    cli.ok("add", "hello")
    for environment, code in (
        ({"TERM": "xterm-256color"}, "\x1b[38;5;"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "\x1b[38;5;"),
        ({"TERM": "xterm"}, "\x1b[35m"),
        ({}, "\x1b[35m"),
    ):
        assert code in cli.run("list", "--color=always", environment=environment).out
        assert "\x1b[" in cli.run("help", "list", "--color=always", environment=environment).out


def brightness(colour: tuple[int, int, int]) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    parts = [part / 255 for part in colour]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (36, 36, 36)])
def test_the_256_colours_can_be_read_on_any_ground(ground: tuple[int, int, int]) -> None:
    """WCAG 2 asks for a contrast of 3 at least where letters are large, or nothing but marks."""
    for style in MANY.styles.values():
        if style.color is not None:
            both = sorted((brightness(ground), brightness(style.color.get_truecolor())))
            assert (both[1] + 0.05) / (both[0] + 0.05) >= 3, style


def test_the_16_colours_are_none_that_vanish_on_white_or_black() -> None:
    for style in FEW.styles.values():
        if style.color is not None:
            assert style.color.name in {"red", "magenta", "green", "cyan"}
            assert not style.bold or style.color.name in {"red", "magenta"}


def test_both_palettes_have_all_styles() -> None:
    assert MANY.styles.keys() == FEW.styles.keys()
