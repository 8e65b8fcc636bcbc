import argparse

import pytest

from porcelain.parser import CommandLineError, CommandParser, HelpRequested


def parser() -> CommandParser:
    made = CommandParser(prog="msglog try")
    made.add_argument("text", nargs="*")
    made.add_argument("--tag", action="append", default=[])
    made.add_argument("-n", type=int)
    made.add_argument("--file")
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
        (["--since"], "See `msglog try --help`"),  # which is like --json but for its letters
        (["-z"], "unknown option '-z'"),
        (["-hello"], "unknown option '-hello'"),
        (["--json=1"], "unknown option '--json=1'. Did you mean --json?"),
        (["-n", "x"], "invalid int value"),
        (["-q", "-v"], "not allowed with"),
        (["--color=maybe"], "invalid choice"),
        (["--file", "a", "--file=b"], "--file is given twice. Only one can count."),
    ],
)
def test_errors_say_what_to_write(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse(parser(), *arguments)
    assert said in str(caught.value)
    assert "\0" not in str(caught.value)


def test_an_option_that_is_given_twice_and_counts_once() -> None:
    made = parser()
    for _ in range(2):
        assert parse(made, "--file", "a", "--file", "a").file == "a"
        assert parse(made, "--file", "b").file == "b"
    assert parse(parser(), "-n", "1", "x", "-n", "2", "--color=never", "--color=auto").n == 2
    with pytest.raises(CommandLineError, match="--tag is given twice"):
        parse(nested(), "new", "x", "--tag", "a", "--tag", "b")


def test_what_is_a_log_or_a_number_elsewhere_is_told_how_it_is_written() -> None:
    made = CommandParser(prog="msglog try")
    made.add_argument("-n")
    made.add_argument("--log")
    for word, said in (("lab/p01", "write `--log lab/p01`."), ("-5", "Write `-n 5`.")):
        with pytest.raises(CommandLineError) as caught:
            parse(made, word)
        assert str(caught.value).endswith(said)
    made.add_argument("file")
    with pytest.raises(CommandLineError, match=r"'other'. See `msglog try --help`"):
        parse(made, "file", "other")


def test_a_number_with_a_hyphen_is_no_argument_where_it_is_an_option_elsewhere() -> None:
    made = CommandParser(prog="msglog try")
    made.add_argument("-n")
    made.add_argument("remote", nargs="?")
    made.add_argument("logs", nargs="*")
    for words in (["-3"], ["origin", "-3"], ["origin", "main", "-3"]):
        with pytest.raises(CommandLineError, match=r"unknown option '-3'. Write `-n 3`."):
            parse(made, *words)
    assert parse(made, "-n", "-3", "--", "origin", "-3").logs == ["-3"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("list", "`msglog try` alone lists them."),
        ("remove", "Did you mean delete?"),
        ("renam", "Did you mean rename?"),
        ("xyzzy", "See `msglog try --help`."),
    ],
)
def test_subcommands_that_there_are_not(word: str, said: str) -> None:
    made = CommandParser(prog="msglog try")
    actions = made.add_subparsers(dest="action")
    for name in ("delete", "rename"):
        actions.add_parser(name)
    with pytest.raises(CommandLineError) as caught:
        parse(made, word)
    assert str(caught.value).endswith(said)
