import re
from collections.abc import Iterator

import pytest

from msglog.key import Key
from msglog.repository import Repository
from msglog.store.sqlite import SqliteStore
from msglog.store.store import MissingObjectError
from porcelain import abbreviation
from porcelain.abbreviation import UniquePrefixes
from tests.porcelain.conftest import CommandLine


@pytest.fixture
def many(cli: CommandLine) -> CommandLine:
    cli.ok("add", "--batch", "-q", stdin="x\n" * 3000)
    return cli


@pytest.fixture
def repository(many: CommandLine) -> Iterator[Repository]:
    repository = Repository.open(many.folder / ".msglog")
    yield repository
    repository.close()


def ids(cli: CommandLine) -> list[str]:
    return sorted(message["id"] for message in cli.run("list", "--json").json())


def needed(known: list[str], place: int) -> int:
    """Return how many digits tell an id from its neighbours, the slow way."""
    length = abbreviation.SHORTEST
    one = known[place]
    while sum(other.startswith(one[:length]) for other in known[max(place - 9, 0) : place + 9]) > 1:
        length += 1
    return length


def test_the_shortest_beginning_that_is_unique_is_told(
    many: CommandLine, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ids(many)
    expected = [needed(known, place) for place in range(len(known))]
    assert set(expected) >= {4, 5}
    before = UniquePrefixes(repository)
    assert [before.length(one) for one in known] == expected  # from memory
    many.ok("show", known[0])
    learned = UniquePrefixes(repository)
    assert [learned.length(one) for one in known] == expected  # from the look-up
    monkeypatch.setattr(abbreviation, "_NEAR", 2)
    assert [learned.length(one) for one in known] == expected
    many.ok("add", "--batch", "-q", stdin="y\n" * 500)
    more = ids(many)
    both = UniquePrefixes(repository)
    assert [both.length(one) for one in more] == [needed(more, n) for n in range(len(more))]


def test_listing_does_not_write(many: CommandLine, repository: Repository) -> None:
    UniquePrefixes(repository)
    many.ok("list", "--color", "always")
    assert repository.store.look_up("0000"[:4], 1) == []
    assert repository.not_looked_up(3000) is not None
    assert repository.not_looked_up(2999) is None


def test_where_too_much_would_be_held_in_memory_the_rule_of_thumb_is_told(
    many: CommandLine, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abbreviation, "_UNKNOWN_LIMIT", 2999)
    one = ids(many)[0]
    assert UniquePrefixes(repository).length(one) == repository.abbreviation_length()


def test_damage_does_not_stop_a_list(many: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[Key]:
        raise MissingObjectError("x")

    plain = many.ok("list", "--oneline", "-n5")
    for name in ("look_up", "indexed"):
        monkeypatch.setattr(SqliteStore, name, fail)
        coloured = many.ok("list", "--oneline", "-n5", "--color", "always")
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_colours_show_what_is_unique(cli: CommandLine) -> None:
    oid = cli.run("add", "x", "--json").json()[0]["id"]
    coloured = cli.ok("list", "--oneline", "--color", "always")
    assert coloured.startswith(f"\x1b[35m{oid[:4]}\x1b[0m\x1b[2m{oid[4:7]}\x1b[0m ")
    coloured = cli.ok("list", "--color", "always")
    assert coloured.startswith(f"\x1b[35mmessage {oid[:4]}\x1b[0m\x1b[2m{oid[4:]}\x1b[0m\n")
    other = cli.run("add", "y", "--meta", "k=1", "--json").json()[0]["id"]
    for arguments, end in ((["--oneline"], 7), ([], 64)):
        coloured = cli.ok("list", "-n1", "--color", "always", *arguments)
        assert f"{other[:4]}\x1b[0m\x1b[2m{other[4:end]}\x1b[0m" in coloured
