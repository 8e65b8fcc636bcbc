"""Ordinary calls are read as argparse reads them; the others are left to it."""

import argparse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.errors import MsglogError, UsageError
from porcelain.commands import COMMANDS, load
from porcelain.parser import CommandParser
from porcelain.words import LAST_COUNTS, Namespace, Words, declare_global_options

VALUES = ["a", "", "-", "--", "3", "-3", "a b", "-a b", "x=y", "auto", "origin", "main", "lab/p01"]


def ours(name: str, arguments: list[str]) -> Any:
    words = Words()
    declare_global_options(words)
    load(name).configure(words)  # type: ignore[arg-type]
    return words.read(arguments, Namespace())


def theirs(name: str, arguments: list[str]) -> Any:
    parser = CommandParser(prog="msglog")
    load(name).configure(parser)
    return parser.parse(arguments, argparse.Namespace())


def options(name: str) -> list[str]:
    parser = CommandParser(prog="msglog")
    load(name).configure(parser)
    return sorted(parser._option_string_actions)


CALLS = {name: options(name) for name in COMMANDS if name != "completion"}


@pytest.mark.parametrize(
    "arguments", [["--author=--", "a=--", "x--"], ["-m--"], ["--run", "a", "--", "--run"]]
)
def test_two_hyphens_can_be_a_value(arguments: list[str]) -> None:
    found = ours("add", arguments)
    assert vars(found) == vars(theirs("add", arguments))


def test_an_option_that_is_given_twice_is_left_to_argparse() -> None:
    assert ours("add", ["--log", "a", "--log=b"]) is None
    assert ours("list", ["-n", "1", "--max-count=2"]).max_count == 2


def test_options_of_which_the_last_counts_are_options() -> None:
    assert set(LAST_COUNTS) <= {option for options in CALLS.values() for option in options}


@given(st.data(), st.sampled_from(sorted(CALLS)))
def test_what_is_read_is_what_argparse_reads(data: st.DataObject, name: str) -> None:
    option = st.sampled_from(CALLS[name])
    word = st.one_of(
        option,
        st.sampled_from(VALUES),
        st.builds("{}={}".format, option, st.sampled_from(VALUES)),
        st.builds("{}{}".format, option, st.sampled_from(VALUES)),
        st.builds(lambda text: text[:-1], option),
    )
    arguments = data.draw(st.lists(word, max_size=6))
    try:
        found = ours(name, arguments)
    except MsglogError as error:
        with pytest.raises(type(error)):
            theirs(name, arguments)
        return
    if found is not None:
        assert vars(found) == vars(theirs(name, arguments))


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", ["hello", "-q", "--tag", "t", "world"], {"text": ["hello", "world"], "tag": ["t"]}),
        ("add", ["-mone", "-m", "two", "--log=lab"], {"message": ["one", "two"], "log": "lab"}),
        ("add", ["-"], {"text": ["-"]}),
        ("list", ["-n", "20", "--json"], {"max_count": 20, "json": True}),
        ("list", ["-n20", "--since=-2h"], {"max_count": 20, "since": "-2h"}),
        ("push", [], {"remote": "origin", "logs": []}),
        ("pull", ["-q", "usb", "main"], {"remote": "usb", "logs": ["main"], "quiet": True}),
        ("receive-pack", ["ann", "--key", "SHA256:x"], {"user": "ann", "key": "SHA256:x"}),
    ],
)
def test_ordinary_calls_are_read(name: str, arguments: list[str], expected: dict[str, Any]) -> None:
    found = ours(name, arguments)
    assert found is not None
    assert expected.items() <= vars(found).items()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("add", ["--help"]),
        ("add", ["-C=x", "y"]),
        ("add", ["--lo", "x"]),
        ("add", ["--log"]),
        ("add", ["-qv", "x"]),
        ("add", ["-q", "-v", "x"]),
        ("add", ["--", "-x"]),
        ("add", ["--color", "blue", "x"]),
        ("list", ["-n", "many"]),
        ("list", ["x"]),
        ("show", []),
        ("config", ["list"]),
        ("cat-object", ["-p", "abcdef1"]),
    ],
)
def test_the_rest_is_for_argparse(name: str, arguments: list[str]) -> None:
    assert ours(name, arguments) is None


def test_a_conversion_may_refuse_with_an_error_of_its_own() -> None:
    def refuse(text: str) -> int:
        raise UsageError(f"not {text}")

    words = Words()
    words.add_argument("--number", type=refuse)
    with pytest.raises(UsageError):
        words.read(["--number", "1"], Namespace())


def test_a_list_that_is_a_default_is_not_changed() -> None:
    default: list[str] = []
    words = Words()
    words.add_argument("--tag", action="append", default=default)
    found = words.read(["--tag", "a", "--tag", "b"], Namespace())
    assert found is not None
    assert found.tag == ["a", "b"]
    assert default == []
