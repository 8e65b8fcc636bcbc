"""The conformance suite: what every store promises, run over each of them."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY, Key, make_key
from msglog.objectid import DamagedObjectError, ObjectId, object_id
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_schema import FORMAT
from msglog.store.store import (
    AGREED_LIMIT,
    VIEWS_LIMIT,
    Agreement,
    Commit,
    Committed,
    HeldBack,
    Lost,
    MissingObjectError,
    Receipt,
    Ref,
    RefUpdate,
    Refusal,
    Store,
    StoreError,
    StoreFormatError,
)
from tests.postgres.databases import Databases

IDENTITY = bytes(range(16))
MAIN = "refs/logs/main"


def message(number: int) -> tuple[Key, bytes]:
    data = b"message %d" % number
    return make_key(number * 1000, object_id(data)), data


def root(number: int) -> ObjectId:
    return object_id(b"root %d" % number)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore(IDENTITY)
    elif request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_store(IDENTITY)
    else:
        made = SqliteStore.create(tmp_path / "store.db", identity=IDENTITY, first=Commit(0, "made"))
    yield made
    made.close()


def test_messages_and_nodes_come_back(store: Store) -> None:
    messages = dict(message(number) for number in range(1200))
    index = build(sorted(messages))
    update = RefUpdate(MAIN, None, Ref(index.root, index.count))
    commit = Commit(1, "add", messages=messages, nodes=index.nodes, refs=[update])
    assert store.commit(commit) == Committed()
    assert store.read_messages(list(messages)) == messages
    assert store.read_nodes(list(index.nodes)) == index.nodes
    assert store.ref(MAIN) == Ref(index.root, index.count)
    assert store.identity == IDENTITY


def test_messages_are_read_in_order_as_far_as_there_is_room(store: Store) -> None:
    messages = {make_key(n, object_id(bytes([n]) * 100)): bytes([n]) * 100 for n in range(100)}
    store.commit(Commit(1, "add", messages=messages))
    keys = sorted(messages)
    for order in (keys, keys[::-1]):
        expected = [messages[key] for key in order]
        assert store.read_some(order, 350) == expected[:3]
        assert store.read_some(order, 1) == expected[:1]
        assert store.read_some(order, 10**6) == expected
        assert store.read_some(order[::7], 10**6) == expected[::7]
    missing = message(7)[0]
    with pytest.raises(MissingObjectError, match=missing[8:].hex()):
        store.read_some(sorted([*keys[:3], missing]), 10**6)
    with pytest.raises(MissingObjectError, match=missing[8:].hex()):
        store.read_some([*sorted([*keys[:3], missing])[::-1]], 10**6)
    store.commit(Commit(2, "harm", messages={keys[2]: b"other"}))
    assert len(store.read_some(keys, 150)) == 1
    with pytest.raises(DamagedObjectError):
        store.read_some(keys, 10**6)


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("step", [2, 3, 50])
def test_messages_are_read_from_among_those_of_other_logs(
    store: Store, size: int, step: int
) -> None:
    bodies = [b"%04d" % n * (size // 4) for n in range(400)]
    messages = {make_key(n, object_id(data)): data for n, data in enumerate(bodies)}
    store.commit(Commit(1, "add", messages=messages))
    wanted = sorted(messages)[::step]
    for order in (wanted, wanted[::-1]):
        expected = [messages[key] for key in order]
        assert store.read_some(order, 1 << 30) == expected
        assert store.read_some(order, 3 * size) == expected[:3]
    for time in (-1, 2 * step + 1, 400):
        missing = make_key(time, object_id(b"gone"))
        with pytest.raises(MissingObjectError, match=missing[8:].hex()):
            store.read_some(sorted([*wanted[:4], missing]), 1 << 30)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 1023, 1024, 1025, 2100])
@pytest.mark.parametrize("largest", [5, 300, 9 << 20])
def test_any_number_of_messages_of_any_size_is_kept(store: Store, count: int, largest: int) -> None:
    bodies = [b"%d" % n * (n % 7) for n in range(count - 1)] + [b"x" * largest]
    messages = {make_key(n, object_id(data)): data for n, data in enumerate(bodies)}
    harmed = dict.fromkeys(list(messages)[::3], b"other")
    store.commit(Commit(1, "harm", messages=harmed))
    store.commit(Commit(2, "add", messages=messages, receipt=Receipt("ann", 7, "main")))
    assert store.read_messages(list(messages)) == messages
    assert store.receipts(list(messages)).keys() == messages.keys() - harmed.keys()


@pytest.mark.parametrize("apart", [1, 2, 3, 40])
@pytest.mark.parametrize("step", [1, -1])
def test_messages_are_read_in_order_from_among_those_of_other_logs(
    store: Store, apart: int, step: int
) -> None:
    messages = {make_key(n, object_id(bytes([n]) * 9)): bytes([n]) * 9 for n in range(200)}
    store.commit(Commit(1, "add", messages=messages))
    keys = sorted(messages)[::apart][::step]
    for room in range(1, 21):
        assert store.read_some(keys, 9 * room) == [messages[key] for key in keys[:room]]
        assert store.read_some(keys, 9 * room + 8) == [messages[key] for key in keys[:room]]
    assert store.read_some(keys, 10**6) == [messages[key] for key in keys]
    store.commit(Commit(2, "harm", messages={keys[-1]: b"other"}))
    with pytest.raises(DamagedObjectError, match=keys[-1][8:].hex()):
        store.read_some(keys, 10**6)


def test_what_is_missing_is_named(store: Store) -> None:
    key, data = message(1)
    with pytest.raises(MissingObjectError, match=object_id(data).hex()):
        store.read_messages([key])
    with pytest.raises(MissingObjectError, match=root(1).hex()):
        store.read_nodes([root(1)])
    assert store.find_messages([key]) == {}
    assert store.find_nodes([root(1)]) == {}


def test_damage_is_named_and_not_handed_out(store: Store) -> None:
    key, data = message(1)
    store.commit(Commit(1, "add", messages={key: data + b"!"}, nodes={root(1): b"other"}))
    with pytest.raises(DamagedObjectError, match=object_id(data).hex()):
        store.read_messages([key])
    with pytest.raises(DamagedObjectError, match=root(1).hex()):
        store.read_nodes([root(1)])
    assert store.find_messages([key]) == {key: data + b"!"}


def test_a_lost_race_changes_nothing(store: Store) -> None:
    first = Ref(root(1), 1)
    assert store.commit(Commit(1, "one", refs=[RefUpdate(MAIN, None, first)])) == Committed()
    key, data = message(1)
    for old in (None, root(9)):
        change = Commit(
            2,
            "two",
            messages={key: data},
            refs=[RefUpdate("refs/logs/a", None, first), RefUpdate(MAIN, old, Ref(root(2), 2))],
            agreed=[Agreement("p", "main", FIRST_KEY, root(3))],
            held_back=[HeldBack("p", "main", (Refusal(key, "quota", "full"),))],
            receipt=Receipt("ann", 2, "main"),
        )
        assert store.commit(change) == Lost(MAIN, first)
    assert store.refs() == {MAIN: first}
    assert store.find_messages([key]) == {}
    assert store.agreed("p", "main", FIRST_KEY) == []
    assert store.held_back("p", "main") == []
    assert [entry.reason for entry in store.reflog(MAIN, 9)] == ["one"]


def test_refs_move_are_listed_and_deleted(store: Store) -> None:
    for number, name in enumerate(("refs/logs/b", "refs/logs/a", "refs/remotes/o/a")):
        store.commit(Commit(number, "new", refs=[RefUpdate(name, None, Ref(root(number), 1))]))
    assert list(store.refs("refs/logs/")) == ["refs/logs/a", "refs/logs/b"]
    assert list(store.refs()) == ["refs/logs/a", "refs/logs/b", "refs/remotes/o/a"]
    assert store.commit(Commit(5, "go", refs=[RefUpdate("refs/logs/a", root(1), None)])) == (
        Committed()
    )
    assert store.ref("refs/logs/a") is None
    assert store.reflog("refs/logs/a", 5) == []


def test_the_reflog_remembers_newest_first(store: Store) -> None:
    old = None
    for number in range(5):
        new = Ref(root(number), number)
        store.commit(Commit(number, f"change {number}", refs=[RefUpdate(MAIN, old, new)]))
        old = new.root
    assert [entry.reason for entry in store.reflog(MAIN, 3)] == ["change 4", "change 3", "change 2"]
    assert store.reflog(MAIN, 1)[0].count == 4
    assert store.in_reflog(MAIN, root(0))
    assert not store.in_reflog(MAIN, root(7))
    assert not store.in_reflog("refs/logs/other", root(0))


def test_agreed_roots_are_per_peer_log_and_view_newest_first_and_bounded(store: Store) -> None:
    for number in range(AGREED_LIMIT + 5):
        agreement = Agreement("p", "main", FIRST_KEY, root(number))
        store.commit(Commit(number, "", agreed=[agreement]))
    view = make_key(5, root(0))
    store.commit(Commit(0, "", agreed=[Agreement("q", "main", view, root(1))]))
    store.commit(Commit(0, "", agreed=[Agreement("p", "main", FIRST_KEY, root(AGREED_LIMIT))]))
    roots = store.agreed("p", "main", FIRST_KEY)
    assert roots[:2] == [root(AGREED_LIMIT), root(AGREED_LIMIT + 4)]
    assert len(roots) == AGREED_LIMIT
    assert store.agreed("q", "main", view) == [root(1)]
    assert store.agreed("q", "main", FIRST_KEY) == []
    assert store.agreed("p", "other", FIRST_KEY) == []


def test_roots_are_kept_for_so_many_views_those_agreed_about_last(store: Store) -> None:
    views = [make_key(number, root(0)) for number in range(VIEWS_LIMIT + 2)]

    def agree(view: Key, number: int, peer: str = "p", log: str = "main") -> None:
        store.commit(Commit(0, "", agreed=[Agreement(peer, log, view, root(number))]))

    for other in ("q", "p"):
        agree(FIRST_KEY, 1, other)
    agree(views[0], 1, log="other")
    for view in views[:-2]:
        agree(view, 1)
        agree(view, 2)
    agree(views[0], 3)
    agree(views[-2], 4)
    agree(views[-1], 5)
    kept = [len(store.agreed("p", "main", view)) for view in views]
    assert kept == [3, 0, 0, *[2] * (VIEWS_LIMIT - 3), 1, 1]
    assert store.agreed("p", "main", FIRST_KEY) == store.agreed("q", "main", FIRST_KEY) == [root(1)]
    assert store.agreed("p", "other", views[0]) == [root(1)]


def test_held_back_messages_are_replaced_and_released(store: Store) -> None:
    refusals = tuple(Refusal(message(number)[0], "quota", "full") for number in range(3))
    store.commit(Commit(1, "", held_back=[HeldBack("p", "main", refusals)]))
    again = Refusal(refusals[0].key, "future", "too late")
    change = HeldBack("p", "main", (again,), (refusals[1].key,))
    store.commit(Commit(2, "", held_back=[change]))
    assert store.held_back("p", "main") == [again, refusals[2]]
    assert store.held_back("p", "other") == []


def test_the_first_receipt_of_a_message_stays(store: Store) -> None:
    key, data = message(1)
    other, more = message(2)
    first = Receipt("ann", 5, "main", "SHA256:x")
    store.commit(Commit(5, "", messages={key: data}, receipt=first))
    second = Receipt("bob", 6, "main")
    store.commit(Commit(6, "", messages={key: data, other: more}, receipt=second))
    mine, local = message(3)
    store.commit(Commit(7, "", messages={mine: local}))
    assert store.receipts([key, other, mine]) == {key: first, other: second}


def test_look_up_by_the_beginning_of_an_id(store: Store) -> None:
    keys = [message(number)[0] for number in range(300)]
    assert store.indexed("main") == EMPTY_ROOT
    store.extend_index("main", root(1), keys)
    store.extend_index("main", root(2), keys[:2])
    assert store.indexed("main") == root(2)
    for key in keys[:20]:
        assert store.look_up(key[8:].hex(), 2) == [key]
    digit = keys[0][8:].hex()[:1]
    expected = sorted(key[8:] for key in keys if key[8:].hex().startswith(digit))
    assert [key[8:] for key in store.look_up(digit, 1000)] == expected
    assert len(store.look_up(digit, 2)) == 2


# What only a store in a file has.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_a_sqlite_store_keeps_what_it_was_told(path: Path) -> None:
    key, data = message(1)
    made = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
    made.commit(Commit(1, "", messages={key: data}))
    made.close()
    opened = SqliteStore.open(path)
    assert opened.identity == IDENTITY
    assert opened.read_messages([key]) == {key: data}
    opened.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_sqlite_store_is_never_made_twice(path: Path) -> None:
    SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made")).close()
    with pytest.raises(StoreError):
        SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))


def _newer(path: Path) -> None:
    SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made")).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()


def _another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE db_msg (id)")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("not a database, but long enough to be taken for one. " * 100)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (_newer, StoreFormatError, "newer msglog"),
        (_another_database, StoreFormatError, "not a msglog store"),
        (_text, StoreFormatError, "not a msglog store"),
        (lambda _: None, StoreError, "cannot use"),
        (lambda path: path.touch(), StoreFormatError, "not a msglog store"),
    ],
)
def test_what_is_not_our_store_is_refused_clearly(
    path: Path, make: Callable[[Path], None], error: type[Exception], says: str
) -> None:
    make(path)
    with pytest.raises(error, match=says):
        SqliteStore.open(path)


def test_two_writers_at_once_both_get_through(path: Path) -> None:
    SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made")).close()

    def write(name: str) -> None:
        mine = SqliteStore.open(path)
        old = None
        for number in range(50):
            new = Ref(root(number), number)
            assert mine.commit(Commit(number, "", refs=[RefUpdate(name, old, new)])) == Committed()
            old = new.root
        mine.close()

    threads = [threading.Thread(target=write, args=(f"refs/logs/{n}",)) for n in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = SqliteStore.open(path)
    assert {ref.count for ref in final.refs().values()} == {49}
    final.close()


def test_all_keys_are_given_in_order_whatever_refs_reach(store: Store) -> None:
    messages = dict(message(number) for number in range(1100))
    assert list(store.held_keys()) == []
    store.commit(Commit(1, "add", messages=dict(reversed(messages.items()))))
    store.commit(Commit(2, "harm", messages={message(5)[0]: b"other"}))
    assert list(store.held_keys()) == sorted(messages)


def test_what_was_agreed_about_a_log_is_forgotten_with_all_peers(store: Store) -> None:
    views = (FIRST_KEY, message(1)[0])
    places = [(peer, log, view) for peer in ("a", "b") for log in ("x", "y") for view in views]
    store.commit(Commit(1, "", agreed=[Agreement(*place, root(1)) for place in places]))
    store.forget_agreed("x")
    for place in places:
        assert store.agreed(*place) == ([] if place[1] == "x" else [root(1)])
