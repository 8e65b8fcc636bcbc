import pytest

from msglog.search.query import _FILTERS as QUERY_FILTERS
from porcelain.commands import COMMANDS
from porcelain.vocabulary import _FILTERS, _WORDS, meant_command
from tests.porcelain.conftest import CommandLine
from tests.porcelain.parsers import command_parser, subcommands


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("commit", ["add", "comet"], "Did you mean add?"),
        ("remove", ["rename", "delete"], "Did you mean delete?"),
        ("rm", ["add", "list"], ""),
        ("LS", ["list", "logs"], "Did you mean list?"),
        ("stat", ["stats", "status"], "Did you mean stats or status?"),
        ("xyzzy", ["add"], ""),
    ],
)
def test_what_is_called_otherwise_elsewhere(word: str, known: list[str], said: str) -> None:
    assert meant_command(word, known, most=2) == said


def test_each_of_the_words_means_something_here() -> None:
    known = {*COMMANDS, *(name for one in COMMANDS for name in subcommands(command_parser(one)))}
    for word, others in _WORDS.items():
        assert word not in COMMANDS
        assert known.intersection(others), word


def test_nothing_that_removes_is_suggested_by_chance(cli: CommandLine) -> None:
    for word in ("rm", "delete"):
        assert "drop" not in cli.fails(2, word)


def test_options_of_list_are_filters_of_a_search(cli: CommandLine) -> None:
    cli.ok("add", "pump", "--tag", "fault", "--author", "ann")
    for name, value in (("tag", "fault"), ("author", "ann"), ("since", "yesterday")):
        said = cli.fails(2, "search", f"--{name}", value, "pump")
        assert said.endswith(f"is a word of the query: {name}:VALUE.")
        assert cli.ok("search", f"{name}:{value}", "pump")
    assert set(_FILTERS) <= set(QUERY_FILTERS)
    assert "query" not in cli.fails(2, "list", "--meta", "x")
