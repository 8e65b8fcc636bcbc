import argparse

import pytest

from porcelain.parser import CommandLineError, CommandParser, HelpRequested


def parser() -> CommandParser:
    made = CommandParser(prog="msglog try")
    made.add_argument("text", nargs="*")
    made.add_argument("--tag", action="append", default=[])
    made.add_argument("-n", type=int)
    return made


def nested() -> CommandParser:
    made = CommandParser(prog="msglog try")
    actions = made.add_subparsers(dest="action")
    new = actions.add_parser("new")
    new.add_argument("name")
    new.add_argument("--tag", default="none")
    return made


def parse(made: CommandParser, *arguments: str) -> argparse.Namespace:
    return made.parse(arguments, argparse.Namespace(json=False))


def test_arguments_and_options_in_any_order() -> None:
    found = parse(parser(), "a", "--tag", "t", "b", "-n", "-5", "c", "--json")
    assert (found.text, found.tag, found.n, found.json) == (["a", "b", "c"], ["t"], -5, True)


def test_after_two_hyphens() -> None:
    assert parse(parser(), "a", "--", "--tag", "--", "-h").text == ["a", "--tag", "--", "-h"]
    assert parse(nested(), "new", "--", "-x").name == "-x"
    assert parse(parser(), "--").text == []


def test_subcommands_reset_nothing_and_take_the_global_options() -> None:
    assert parse(nested(), "--json", "new", "x").json is True
    assert parse(nested(), "new", "x", "--json").json is True
    assert parse(nested(), "new", "--tag", "t", "x").name == "x"
    assert parse(nested(), "new", "x", "--tag=t").tag == "t"


def test_help_is_of_the_parser_that_was_asked() -> None:
    for arguments, prog in ((["--help"], "msglog try"), (["new", "-h"], "msglog try new")):
        with pytest.raises(HelpRequested) as caught:
            parse(nested(), *arguments)
        assert caught.value.parser.prog == prog
        assert caught.value.parser.format_help().startswith(f"usage: {prog} [OPTIONS] ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tag", "-x"], "Write `--tag=-x`"),
        (["-n", "--tag"], "Write `-n--tag`"),
        (["--tag"], "See `msglog try --help`"),
        (["--ta", "x"], "Did you mean --tag?"),
        (["--zzz"], "See `msglog try --help`"),
        (["-z"], "unknown option '-z'"),
        (["-hello"], "unknown option '-hello'"),
        (["--json=1"], "unknown option '--json=1'. Did you mean --json?"),
        (["-n", "x"], "invalid int value"),
        (["-q", "-v"], "not allowed with"),
        (["--color=maybe"], "invalid choice"),
    ],
)
def test_errors_say_what_to_write(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse(parser(), *arguments)
    assert said in str(caught.value)
    assert "\0" not in str(caught.value)
