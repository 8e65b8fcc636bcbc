"""Compressed rows are read as they were written, damaged ones never, and the file gets shorter."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog import sqlite_progress
from msglog.key import Key, make_key
from msglog.objectid import DamagedObjectError, object_id
from msglog.store import sqlite_condensation, sqlite_dictionaries
from msglog.store.collection import Retention
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_link import DamagedStoreError, Link, Row, Value
from msglog.store.store import Commit, Receipt

IDENTITY = bytes(range(16))
RETENTION = Retention(now=2_000_000)


def texts(count: int, first: int = 0) -> dict[Key, bytes]:
    """Messages that resemble each other, as those of one log do."""
    found = {}
    for number in range(first, first + count):
        data = (
            b"the %d. beam of %d is back at %d mA, said ann, who had waited for it since noon, when"
            b" the vacuum of section %d had failed and all shutters of hall %d were closed"
        ) % (number, number % 7, number % 311, number % 17, number % 5)
        found[make_key(number, object_id(data))] = data
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))) as made:
        yield made


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(sql).fetchall()
        connection.commit()
    return found


def test_compressed_messages_are_read_as_they_were_written(store: SqliteStore, path: Path) -> None:
    receipt = Receipt("ann", 5, "main")
    messages = texts(3000)
    store.commit(Commit(1, "", messages=messages, receipt=receipt))
    before = store.find_messages(list(messages))
    done = store.condense()
    assert done.messages == 3000
    assert rows(path, "SELECT count(*) FROM messages WHERE dictionary > 0") == [(3000,)]
    assert store.find_messages(list(messages)) == before == messages
    keys = sorted(messages)
    assert store.read_messages(keys) == messages
    assert store.read_some(keys[:100], 10**6) == [messages[key] for key in keys[:100]]
    assert len(store.read_some(keys[:100], 450)) == 2
    assert store.receipts(keys) == dict.fromkeys(keys, receipt)
    with closing(SqliteStore.open(path)) as other:
        assert other.read_messages(keys) == messages
    assert store.condense().messages == 0


def test_the_file_gets_shorter(store: SqliteStore, path: Path) -> None:
    store.commit(Commit(1, "", messages=texts(20_000)))
    done = store.condense()
    assert done.after < 0.75 * done.before
    assert path.stat().st_size == store.size() == done.after
    assert rows(path, "PRAGMA freelist_count") == [(0,)]


def test_a_long_file_is_shortened_a_few_pages_at_a_time(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_condensation, "VACUUM_BYTES_LIMIT", 0)
    monkeypatch.setattr(sqlite_condensation, "_SLICE_PAGES", 7)
    messages = texts(20_000)
    store.commit(Commit(1, "", messages=messages))
    done = store.condense()
    assert done.after < 0.8 * done.before
    assert rows(path, "PRAGMA freelist_count") == [(0,)]
    assert store.find_messages(list(messages)) == messages


def test_who_writes_the_file_anew_says_that_it_gets_on(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_progress, "INSTRUCTIONS", 100)
    store.commit(Commit(1, "", messages=texts(5000)))
    said: list[tuple[int, int]] = []
    store.condense(progress=lambda done, total: said.append((done, total)))
    assert said.count((5000, 5000)) > 10
    assert rows(path, "PRAGMA freelist_count") == [(0,)]


@pytest.mark.parametrize("limit", [sqlite_condensation.VACUUM_BYTES_LIMIT, 0])
def test_giving_pages_back_ends_when_its_user_wants_it(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(sqlite_progress, "INSTRUCTIONS", 100)
    monkeypatch.setattr(sqlite_condensation, "VACUUM_BYTES_LIMIT", limit)
    messages = texts(5000)
    store.commit(Commit(1, "", messages=messages))
    seen = 0

    def interrupt(done: int, total: int) -> None:
        nonlocal seen
        seen += done == total
        if seen > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.condense(progress=interrupt)
    assert store.find_messages(list(messages)) == messages
    assert list(store.faults()) == []
    store.condense()


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.condense(),
        lambda store: list(store.held_keys()),
        lambda store: store.collect(RETENTION, dry_run=True),
    ],
)
def test_rows_that_come_again_and_again_are_damage(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, work: Callable[[SqliteStore], object]
) -> None:
    store.commit(Commit(1, "", messages=texts(3)))
    genuine = Link.select

    def again(link: Link, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        if "FROM messages WHERE key > ?" in sql:  # a damaged tree gives any rows
            parameters = [b"", *parameters[1:]]
        return genuine(link, sql, parameters)

    monkeypatch.setattr(Link, "select", again)
    monkeypatch.setattr(sqlite_condensation.Condensation, "_rewrite", lambda *_: 0)
    with pytest.raises(DamagedStoreError, match="out of order"):
        work(store)


def test_a_reader_keeps_what_it_began_to_read(store: SqliteStore, path: Path) -> None:
    messages = texts(5000)
    store.commit(Commit(1, "", messages=messages))
    with closing(sqlite3.connect(path)) as reader:
        cursor = reader.execute("SELECT key, data FROM messages ORDER BY key")
        first = cursor.fetchone()
        assert store.condense().messages == 5000
        assert dict([first, *cursor]) == messages
    assert store.find_messages(list(messages)) == messages


def test_a_writer_in_the_way_of_writing_the_file_anew_is_not_waited_for(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_condensation, "_OWN_PATIENCE", 0)
    messages = texts(5000)
    store.commit(Commit(1, "", messages=messages))
    genuine = sqlite_condensation.Condensation._write_anew
    answers: list[bool] = []

    def beside_a_writer(self: sqlite_condensation.Condensation) -> bool:
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            answers.append(genuine(self))
            writer.execute("ROLLBACK")
        return answers[0]

    monkeypatch.setattr(sqlite_condensation.Condensation, "_write_anew", beside_a_writer)
    assert store.condense().messages == 5000
    assert answers == [False]
    assert rows(path, "PRAGMA freelist_count") == [(0,)]


def test_what_compression_does_not_make_shorter_stays_plain(store: SqliteStore, path: Path) -> None:
    messages = {
        make_key(n, object_id(object_id(b"%d" % n))): object_id(b"%d" % n) for n in range(9)
    }
    store.commit(Commit(1, "", messages=messages))
    assert store.condense().messages == 0
    assert rows(path, "SELECT DISTINCT dictionary FROM messages") == [(-1,)]
    assert rows(path, "SELECT count(*) FROM dictionaries") == [(0,)]
    assert store.read_messages(list(messages)) == messages


def test_few_long_messages_are_compressed_without_a_dictionary(
    store: SqliteStore, path: Path
) -> None:
    data = b"a line of some instrument's output\n" * 5000
    key = make_key(1, object_id(data))
    store.commit(Commit(1, "", messages={key: data}))
    assert store.condense().messages == 1
    assert rows(path, "SELECT id, data FROM dictionaries") == [(1, b"")]
    assert store.read_messages([key]) == {key: data}


def test_a_larger_dictionary_is_made_when_there_are_more_messages(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_condensation, "SIZES", ((600, 4096), (200, 2048), (50, 512)))
    for count in (60, 70, 250, 260, 700, 500):
        store.commit(Commit(1, "", messages=texts(count, count * 1000)))
        store.condense()
    sizes = rows(path, "SELECT length(data) FROM dictionaries ORDER BY id")
    assert sizes == [(512,), (2048,), (4096,)]
    for count in (60, 70, 250, 260, 700, 500):
        messages = texts(count, count * 1000)
        assert store.read_messages(list(messages)) == messages


def test_messages_of_another_kind_get_a_dictionary_of_their_own(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_condensation, "SIZES", ((600, 4096), (200, 2048), (50, 512)))
    store.commit(Commit(1, "", messages=texts(700)))
    store.condense()
    other = {}
    for number in range(700):
        data = b'{"sensor": "%d", "vacuum": "ion pump %d", "unit": "mbar"}' % (number, number % 9)
        other[make_key(number, object_id(data))] = data
    store.commit(Commit(1, "", messages=other))
    store.condense()
    assert len(rows(path, "SELECT id FROM dictionaries")) == 2
    assert store.read_messages(list(other)) == other


def test_a_message_that_comes_again_is_plain_again(store: SqliteStore) -> None:
    messages = texts(600)
    store.commit(Commit(1, "", messages=messages))
    store.condense()
    store.commit(Commit(2, "", messages=messages))
    assert store.read_messages(list(messages)) == messages
    assert store.condense().messages == 600
    assert store.read_messages(list(messages)) == messages


def test_a_damaged_message_is_left_as_it_is(store: SqliteStore) -> None:
    messages = texts(600)
    harmed = sorted(messages)[300]
    store.commit(Commit(1, "", messages={**messages, harmed: b"other " * 20}))
    assert store.condense().messages == 599
    with pytest.raises(DamagedObjectError):
        store.read_messages([harmed])
    assert store.find_messages([harmed]) == {harmed: b"other " * 20}
    assert store.condense().messages == 0
    store.commit(Commit(1, "", messages={harmed: messages[harmed]}))
    assert store.condense().messages == 1
    assert store.read_messages(list(messages)) == messages


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_of_a_row_is_ever_handed_out(data: st.DataObject) -> None:
    messages = DAMAGE.messages
    key = sorted(messages)[data.draw(st.integers(0, 599))]
    frame = DAMAGE.frames[key]
    kind = data.draw(st.sampled_from(("bit", "cut", "more", "any", "number")))
    number: object = 1
    if kind == "bit":
        at = data.draw(st.integers(0, 8 * len(frame) - 1))
        changed = bytearray(frame)
        changed[at // 8] ^= 1 << at % 8
        frame = bytes(changed)
    elif kind == "cut":
        frame = frame[: data.draw(st.integers(0, len(frame) - 1))]
    elif kind == "more":
        frame += data.draw(st.binary(min_size=1, max_size=20))
    elif kind == "any":
        frame = data.draw(st.binary(max_size=60))
    else:
        number = data.draw(st.sampled_from((0, -1, 2, -7, 1 << 40, "x", b"x", 0.5)))
    expanded = DAMAGE.store._dictionaries.expanded(frame, number)
    # What a bit does not change need not be noticed: a frame has some that mean nothing.
    assert expanded == messages[key] or object_id(expanded) != key[8:]


class Damage:
    """A store with compressed rows, made once."""

    def __init__(self) -> None:
        self.messages = texts(600)
        self.store = SqliteStore.__new__(SqliteStore)
        self.frames: dict[Key, bytes] = {}

    def fill(self, folder: Path) -> None:
        path = folder / "store.db"
        self.store = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
        self.store.commit(Commit(1, "", messages=self.messages))
        assert self.store.condense().messages == 600
        for key, frame, number in rows(path, "SELECT key, data, dictionary FROM messages"):
            assert number == 1
            assert isinstance(key, bytes)
            assert isinstance(frame, bytes)
            self.frames[Key(key)] = frame


DAMAGE = Damage()


@pytest.fixture(autouse=True, scope="module")
def _damage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    DAMAGE.fill(tmp_path_factory.mktemp("damage"))
    yield
    DAMAGE.store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE dictionaries SET data = zeroblob(500)",
        "UPDATE dictionaries SET data = CAST(substr(data, 1, 900) || x'00' || substr(data, 902) AS BLOB)",
        "UPDATE dictionaries SET data = 'text'",
        "UPDATE dictionaries SET digest = zeroblob(32)",
        "DELETE FROM dictionaries",
    ],
)
def test_a_damaged_dictionary_is_named_and_nothing_is_read_by_it(
    store: SqliteStore, path: Path, change: str
) -> None:
    messages = texts(600)
    store.commit(Commit(1, "", messages=messages))
    store.condense()
    assert list(store.faults()) == []
    rows(path, change)
    with closing(SqliteStore.open(path)) as other:
        (fault,) = other.faults()
        assert fault.startswith("dictionary 1: ")
        assert set(other.find_messages(list(messages)).values()) == {b""}
        with pytest.raises(DamagedObjectError):
            other.read_messages(list(messages)[:1])
        assert other.condense().messages == 0


def test_a_row_expands_to_no_more_than_an_object_may_have(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = texts(600)
    store.commit(Commit(1, "", messages=messages))
    store.condense()
    key = sorted(messages)[9]
    for less, found in ((0, messages[key]), (1, b"")):
        monkeypatch.setattr(sqlite_dictionaries, "OBJECT_BYTES_LIMIT", len(messages[key]) - less)
        with closing(SqliteStore.open(path)) as other:
            assert other.find_messages([key]) == {key: found}
