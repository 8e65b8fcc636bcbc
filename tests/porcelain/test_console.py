import re

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
