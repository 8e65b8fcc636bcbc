import re
from collections.abc import Sequence

import pytest

from msglog.key import Key, make_key
from msglog.objectid import ObjectId
from porcelain import threads
from porcelain.threads import arrange
from tests.porcelain.conftest import CommandLine

MARKS = ("+ ", "| ", "` ", "~ ")


def oid(number: int) -> ObjectId:
    return ObjectId(bytes([number]) * 32)


def key(number: int) -> Key:
    return make_key(number, oid(number))


def drawn(parents: Sequence[int], *, reverse: bool = False) -> list[str]:
    """Draw messages 1, 2, ... of which each answers the one that is given, 0 for none."""
    given = {
        key(number): oid(parent) if parent else None for number, parent in enumerate(parents, 1)
    }
    return [f"{one.first}{one.key[7]}" for one in arrange(given, MARKS, reverse=reverse)]


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ([], []),
        ([0, 0], ["2", "1"]),
        ([0, 0, 1], ["1", "` 3", "2"]),
        ([0, 1, 1, 2, 2, 1], ["1", "+ 2", "| + 4", "| ` 5", "+ 3", "` 6"]),
        ([0, 1, 2, 1], ["1", "+ 2", "| ` 3", "` 4"]),
        ([9, 1, 0], ["3", "~ 1", "  ` 2"]),
        ([2, 0], ["2", "` 1"]),  # whose clock was slow
    ],
)
def test_trees(parents: list[int], expected: list[str]) -> None:
    assert drawn(parents) == expected


def test_reversed_threads_are_in_the_order_in_which_they_began() -> None:
    assert drawn([0, 0, 0, 1], reverse=True) == ["1", "` 4", "2", "3"]
    assert drawn([0, 0, 0, 1]) == ["1", "` 4", "3", "2"]


def test_however_deep_a_thread_is_there_is_room_for_its_text() -> None:
    lines = drawn([0, *range(1, 200)])
    assert len(lines) == 200
    assert max(map(len, lines)) == 2 * threads.DEPTH_LIMIT + len("200")


def fill(cli: CommandLine) -> None:
    first = cli.ok("add", "one", "--author", "bob\x1b[2J").strip()
    second = cli.ok("add", "two\nlines", "--reply-to", first).strip()
    cli.ok("add", "three", "--reply-to", second, "--meta", "k=1")
    cli.ok("add", "four", "--reply-to", first)
    cli.ok("add", "five")
    cli.ok("add", "six", "--reply-to", "ab" * 32)


def test_threads_of_a_log(cli: CommandLine) -> None:
    fill(cli)
    form = ["--threads", "--format", "%(author) %(body)"]
    assert cli.ok("list", *form) == (
        "… ann six\nann five\nbob\\x1b[2J one\n├─ ann two\n│  lines\n│  └─ ann three\n└─ ann four\n"
    )
    plain = cli.run("list", *form, environment={"LC_ALL": "C", "LANG": "de_DE.UTF-8"}).out
    assert plain.isascii()
    assert "|  `- ann three\n`- ann four\n" in plain
    assert cli.run("list", *form, environment={"TERM": "dumb"}).out == plain
    lines = cli.ok("list", "--threads").splitlines()
    assert re.fullmatch(r"├─ [0-9a-f]{7} \d{4}-\d\d-\d\d \d\d:\d\d ann: two", lines[3])
    assert cli.ok("list", "--threads", "-n", "3").startswith("… ")


def test_threads_in_full(cli: CommandLine) -> None:
    fill(cli)
    text = cli.ok("list", "--threads", "--format", "full")
    assert re.search(
        r"\n    one\n│\n├─ message .*\n│  Author: ann\n(│.*\n)*│      lines\n│  │\n", text
    )
    assert not re.search(r" $", text, re.MULTILINE)
    assert text.count("message ") == 6


def test_threads_are_for_people(cli: CommandLine) -> None:
    assert "reply_to" in cli.fails(2, "list", "--threads", "--json")
