"""Clocks that jump back, or years ahead, between adding, gc, exchanging and backing up."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.repository import Repository
from msglog.store.collection import Retention
from msglog.store.sqlite import SqliteStore
from msglog.timestamp import DAY
from plumbing.soundness import check_sound
from tests.plumbing.peers import START, Client, Server, add, keys, make_repository, message

YEARS = 3653 * DAY
JUMPS = (START, START + YEARS, START - YEARS, 0, START + DAY, -YEARS, START + 100 * DAY)


@dataclass
class Place:
    """A repository, and a clock that is whatever somebody has set it to."""

    repository: Repository
    now: int = START

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "memory":
        repository = make_repository(1)
    else:
        repository = Repository.create(tmp_path / "r", identity=bytes(16), time=START)
    yield Place(repository)
    repository.close()


def collect(place: Place) -> int:
    found = place.repository.store.collect(Retention(place()))
    check_sound(place.repository)
    return found.messages


def some(first: int, count: int) -> list[bytes]:
    return [message(number) for number in range(first, first + count)]


@pytest.mark.parametrize("jump", JUMPS)
def test_gc_under_any_clock_keeps_what_a_ref_reaches(place: Place, jump: int) -> None:
    for number in range(0, 300, 100):
        add(place.repository, *some(number, 100))
    held = keys(place.repository)
    for now in (jump, START, jump, jump + YEARS):
        place.now = now
        assert collect(place) == 0
        assert keys(place.repository) == held


@pytest.mark.parametrize("jump", [START - YEARS, 0, -YEARS])
def test_the_grace_is_not_shortened_by_a_clock_that_is_set_back(place: Place, jump: int) -> None:
    place.repository.create_log("lab", time=place())
    add(place.repository, *some(0, 100), log="lab")
    deleted = keys(place.repository, "lab")
    place.repository.delete_log("lab", time=place())
    place.now = jump
    for _ in range(3):
        assert collect(place) == 0
    assert len(place.repository.store.find_messages(sorted(deleted))) == 100
    place.now = START + 100 * DAY
    collect(place)
    place.now += 100 * DAY
    collect(place)
    assert place.repository.store.find_messages(sorted(deleted)) == {}


def test_what_was_deleted_under_a_clock_years_ahead_stays_longer_and_no_shorter(
    place: Place,
) -> None:
    place.repository.create_log("lab", time=place())
    add(place.repository, *some(0, 10), log="lab")
    deleted = sorted(keys(place.repository, "lab"))
    place.now = START + YEARS
    place.repository.delete_log("lab", time=place())
    place.now = START + 30 * DAY
    collect(place)
    assert len(place.repository.store.find_messages(deleted)) == 10


_steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["add", "push", "pull", "gc", "gc", "gc", "back up", "delete"]),
        st.sampled_from(JUMPS),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(_steps)
def test_any_order_under_any_clocks_loses_nothing(steps: list[tuple[int, str, int]]) -> None:
    server = Server()
    clients = [Client(number, server) for number in range(2)]
    places = [*[Place(one.repository) for one in clients], Place(server.repository)]
    everything: set[bytes] = set()
    number = 0
    with TemporaryDirectory() as folder:
        for who, what, now in steps:
            place = places[who]
            place.now = now
            if who < 2:
                clients[who].clock.now = now
            server.clock.now = now
            if what == "add":
                number += 100
                data = some(number, 70)
                messages = add(place.repository, *data)
                everything |= set(messages)
            elif what == "gc":
                collect(place)
            elif what == "back up":
                path = f"{folder}/{number}-{who}-{len(list(Path(folder).iterdir()))}"
                place.repository.store.snapshot(path)
                copy = Repository(SqliteStore.open(path), folder)
                check_sound(copy)
                assert keys(copy) == keys(place.repository)
                copy.close()
            elif what == "delete":
                place.repository.create_log("x", time=now)
                add(place.repository, message(number + 99), log="x")
                place.repository.delete_log("x", time=now)
            elif who < 2 and what == "push":
                clients[who].push()
            elif who < 2:
                clients[who].pull()
    for client in (*clients, *clients):
        client.pull()
        client.push()
    for place in places:
        check_sound(place.repository)
        assert keys(place.repository) == everything
