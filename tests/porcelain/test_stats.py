import json

import pytest

from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

LINES = [
    {"time": "2026-01-30T09:00:00Z", "author": "ann", "body": "x", "tags": ["a"]},
    {"time": "2026-01-30T23:30:00Z", "author": "bob\x1b[2J", "body": "y", "tags": ["a", "b"]},
    {"time": "2026-01-31T09:00:00Z", "author": "ann", "body": "z", "meta": {"k": 1}},
]


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    cli.ok("add", "--batch", "--json", stdin=text)
    return cli


def counts(cli: CommandLine, by: str, *arguments: str) -> dict[str | int, int]:
    found = cli.run("stats", "--json", *arguments).json()
    assert {one["log"] for one in found} == {"main"}
    return {one["value"]: one["count"] for one in found if one["by"] == by}


def test_all_is_counted(filled: CommandLine) -> None:
    assert counts(filled, "log") == {"main": 3}
    assert list(counts(filled, "author").items()) == [("ann", 2), ("bob\x1b[2J", 1)]
    assert counts(filled, "tag") == {"a": 2, "b": 1}
    assert counts(filled, "day") == {"2026-01-30": 2, "2026-01-31": 1}
    assert counts(filled, "weekday") == {
        "Mon": 0, "Tue": 0, "Wed": 0, "Thu": 0, "Fri": 2, "Sat": 1, "Sun": 0
    }  # fmt: skip
    assert {hour: count for hour, count in counts(filled, "hour").items() if count} == {9: 2, 23: 1}


def test_only_what_the_filters_leave(filled: CommandLine) -> None:
    assert counts(filled, "log", "--author", "ann") == {"main": 2}
    assert counts(filled, "log", "--tag", "b") == {"main": 1}
    assert counts(filled, "log", "--since", "2026-01-31") == {"main": 1}
    assert counts(filled, "log", "--grep", "none") == {"main": 0}
    filled.fails(2, "stats", "--log", "none")
    filled.fails(2, "stats", "--top", "0")
    filled.fails(2, "stats", "--grep", "(")


def test_what_is_drawn(filled: CommandLine) -> None:
    shown = filled.ok("stats", "--top", "1")
    assert shown.startswith("main: 3 messages on 2 days, 2026-01-30 to 2026-01-31\n\n")
    assert "2 authors, the first 1 of them\n  ann  2  ███" in shown
    assert "bob" not in shown
    assert "  bob\\x1b[2J  1  █" in filled.ok("stats")
    assert "2 messages on 2 days" in filled.ok("stats", "--author", "ann")
    assert filled.ok("stats", "--grep", "y").startswith("main: 1 message on 2026-01-30\n")
    assert filled.run("stats", environment={"LC_ALL": "C"}).out.isascii()
    assert filled.ok("stats", "--grep", "none") == "main: 0 messages\n"
    narrow = filled.run("stats", environment={"COLUMNS": "40"}).out.split("\n")
    assert max(len(line) for line in narrow if "█" in line) == 40


def test_on_a_terminal_it_goes_through_the_pager_in_colours(filled: CommandLine) -> None:
    shown = on_terminal(filled, "stats", environment={"MSGLOG_PAGER": "sed s/^/./"}).out
    assert "\x1b[" in shown
    assert all(line.startswith(".") for line in shown.splitlines())
