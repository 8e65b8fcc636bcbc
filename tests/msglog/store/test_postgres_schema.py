"""The tables of stores in PostgreSQL: in which order keys are, and how older tables become ours."""

import threading
from contextlib import closing

import psycopg
import pytest

from msglog.postgres_link import Link, Session
from msglog.repository import Repository
from msglog.store.postgres import ERRORS, PostgresStore
from msglog.store.postgres_rows import checksum
from msglog.store.store import Commit, StoreFormatError
from tests.postgres.databases import Databases

IDENTITY = bytes(range(16))
START = 1_700_000_000_000_000
FORMAT_1 = (
    "CREATE TABLE store_format (format INTEGER PRIMARY KEY)",
    "INSERT INTO store_format VALUES (1)",
    """CREATE TABLE repositories (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, identity BYTEA NOT NULL,
        created BIGINT NOT NULL, checksum BIGINT NOT NULL)""",
    """CREATE TABLE gates (
        repository INTEGER NOT NULL, gate INTEGER NOT NULL, PRIMARY KEY (repository, gate))""",
    """CREATE TABLE messages (
        repository INTEGER NOT NULL, form SMALLINT NOT NULL, receipt BIGINT NOT NULL,
        seen BIGINT NOT NULL, key BYTEA NOT NULL, data BYTEA NOT NULL,
        PRIMARY KEY (repository, key))""",
    """CREATE TABLE nodes (
        repository INTEGER NOT NULL, seen BIGINT NOT NULL, oid BYTEA NOT NULL,
        data BYTEA NOT NULL, PRIMARY KEY (repository, oid))""",
    """CREATE TABLE refs (
        repository INTEGER NOT NULL, name TEXT NOT NULL, root BYTEA NOT NULL,
        count BIGINT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (repository, name))""",
    """CREATE TABLE reflog (
        repository INTEGER NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL,
        root BYTEA NOT NULL, count BIGINT NOT NULL, time BIGINT NOT NULL, reason TEXT NOT NULL,
        token BIGINT NOT NULL, checksum BIGINT NOT NULL,
        PRIMARY KEY (repository, name, version))""",
    """CREATE TABLE receipts (
        repository INTEGER NOT NULL, id BIGINT NOT NULL, "user" TEXT NOT NULL, key TEXT NOT NULL,
        log TEXT NOT NULL, time BIGINT NOT NULL, messages BIGINT NOT NULL,
        checksum BIGINT NOT NULL, PRIMARY KEY (repository, id))""",
    """CREATE TABLE usage (
        repository INTEGER NOT NULL, "user" TEXT NOT NULL, messages BIGINT NOT NULL,
        size BIGINT NOT NULL, checksum BIGINT NOT NULL, PRIMARY KEY (repository, "user"))""",
    """CREATE TABLE agreed (
        repository INTEGER NOT NULL, peer TEXT NOT NULL, log TEXT NOT NULL, view BYTEA NOT NULL,
        root BYTEA NOT NULL, number BIGINT NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, peer, log, view, root))""",
    """CREATE TABLE retired (
        repository INTEGER NOT NULL, root BYTEA NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, root))""",
    """CREATE TABLE held_back (
        repository INTEGER NOT NULL, peer TEXT NOT NULL, log TEXT NOT NULL, key BYTEA NOT NULL,
        code TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (repository, peer, log, key))""",
    """CREATE TABLE lookup (
        repository INTEGER NOT NULL, oid BYTEA NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, oid))""",
    """CREATE TABLE looked_up (
        repository INTEGER NOT NULL, log TEXT NOT NULL, root BYTEA NOT NULL,
        PRIMARY KEY (repository, log))""",
)


@pytest.fixture
def old(databases: Databases) -> str:
    """The connection string of a store as the first format's code left it, with a log of ours."""
    address = databases.fresh()
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in FORMAT_1:
            connection.execute(statement.encode())
        connection.execute(
            "INSERT INTO repositories VALUES (1, 'main', %s, 0, %s)",
            (IDENTITY, checksum("main", IDENTITY, 0)),
        )
        connection.execute("INSERT INTO gates SELECT 1, gate FROM generate_series(0, 15) gate")
    return address


def shape(address: str) -> list[tuple[object, ...]]:
    """Return all columns of all tables and indexes, with types and orders."""
    with psycopg.connect(address) as connection:
        return connection.execute(
            "SELECT relname, CASE relkind WHEN 'i' THEN attnum::text ELSE attname END,"
            " atttypid, attnotnull, collname FROM pg_attribute"
            " JOIN pg_class ON pg_class.oid = attrelid LEFT JOIN pg_collation ON"
            " pg_collation.oid = attcollation WHERE relnamespace = current_schema::regnamespace"
            " AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"
        ).fetchall()


def open_(address: str) -> PostgresStore:
    return PostgresStore.open(Link(Session(address), ERRORS), "main")


def test_texts_are_in_the_same_order_on_every_host_wherever_an_index_has_them(
    databases: Databases,
) -> None:
    """The rules of a language change with its library: a copy elsewhere would look in vain."""
    with psycopg.connect(databases.stores()) as connection:
        orders = connection.execute(
            "SELECT DISTINCT collname FROM pg_index JOIN pg_attribute ON attrelid = indexrelid"
            " JOIN pg_class ON pg_class.oid = indrelid"
            " JOIN pg_collation ON pg_collation.oid = attcollation"
            " WHERE relnamespace = current_schema::regnamespace"
        ).fetchall()
    assert orders == [("C",)]


def test_old_tables_are_upgraded_when_they_are_opened(databases: Databases, old: str) -> None:
    with closing(open_(old)) as store:
        assert store.identity == IDENTITY
        assert list(store.faults()) == []
        repository = Repository(store, "/")
        repository.create_log("main", time=START)
        assert list(store.refs()) == ["refs/logs/main"]
    assert shape(old) == shape(databases.stores())
    with psycopg.connect(old) as connection:
        assert connection.execute("SELECT format FROM store_format").fetchall() == [(2,)]


def test_who_has_opened_old_tables_before_cannot_write_past_gc(old: str) -> None:
    """They would not note for gc what they make: they are to fail, and open the tables anew."""
    entering = "SELECT 1 FROM gates WHERE repository = 1 AND gate = 3 FOR SHARE"  # as they did
    with psycopg.connect(old, autocommit=True) as connection:
        assert connection.execute(entering).fetchall() == [(1,)]
        open_(old).close()
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute(entering)


def test_old_tables_are_upgraded_when_a_store_is_made_there(old: str) -> None:
    link = Link(Session(old), ERRORS)
    first = Commit(START, "made")
    with closing(PostgresStore.create(link, "lab", identity=IDENTITY, first=first)) as store:
        Repository(store, "/").create_log("main", time=START)
        assert list(store.faults()) == []


def test_two_who_open_old_tables_at_once(old: str) -> None:
    def use() -> None:
        with closing(open_(old)) as store:
            done.append(store.identity)

    done: list[bytes] = []
    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [IDENTITY] * 4


def test_newer_tables_are_refused(old: str) -> None:
    with psycopg.connect(old, autocommit=True) as connection:
        connection.execute("UPDATE store_format SET format = 99")
    with pytest.raises(StoreFormatError):
        open_(old)
