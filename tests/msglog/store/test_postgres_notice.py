"""Who waits for a store in PostgreSQL is told of what any host commits, and misses nothing."""

import select
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from msglog.objectid import object_id
from msglog.refname import log_ref
from msglog.store.postgres import PostgresStore
from msglog.store.postgres_notice import PostgresNotice
from msglog.store.store import Commit, Ref, RefUpdate, StoreError
from tests.postgres.databases import Databases, again

IDENTITY = bytes(16)
MAIN = log_ref("main")


@pytest.fixture
def writer(databases: Databases) -> Iterator[PostgresStore]:
    with closing(databases.make_store(IDENTITY)) as made:
        yield made


@pytest.fixture
def notice(writer: PostgresStore) -> Iterator[PostgresNotice]:
    with closing(again(writer)) as store, closing(store.notice()) as made:
        yield made


def move(store: PostgresStore, number: int) -> None:
    old = store.ref(MAIN)
    new = Ref(object_id(b"%d" % number), number)
    update = RefUpdate(MAIN, None if old is None else old.root, new)
    store.commit(Commit(number, "moved", refs=[update]))


def wait(notice: PostgresNotice, milliseconds: int = 20_000) -> bool:
    poller = select.poll()
    poller.register(notice.fileno(), select.POLLIN)
    return bool(poller.poll(milliseconds))


def test_the_descriptor_tells_and_is_at_rest_afterwards(
    writer: PostgresStore, notice: PostgresNotice
) -> None:
    assert not notice.changed()
    for number in (1, 2, 3):
        move(writer, number)
        assert wait(notice)
        assert notice.changed()
        assert not notice.changed()
        assert not wait(notice, 0)


def test_what_nobody_told_is_found_by_asking(
    writer: PostgresStore, notice: PostgresNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresStore, "_tell", lambda _: None)
    move(writer, 1)
    assert not wait(notice, 0)
    assert notice.changed()


def test_a_log_that_is_deleted_and_made_anew_is_news(
    writer: PostgresStore, notice: PostgresNotice
) -> None:
    move(writer, 1)
    assert notice.changed()
    old = object_id(b"1")
    writer.commit(Commit(2, "deleted", refs=[RefUpdate(MAIN, old, None)]))
    writer.commit(Commit(3, "made", refs=[RefUpdate(MAIN, None, Ref(object_id(b"x"), 1))]))
    assert notice.changed()


def test_other_repositories_are_no_news(
    databases: Databases, writer: PostgresStore, notice: PostgresNotice
) -> None:
    move(writer, 1)
    assert notice.changed()
    with closing(databases.make_store(bytes(range(16)))) as other:
        move(other, 1)
        move(other, 2)
    assert not wait(notice, 0)
    assert not notice.changed()


def test_a_lost_connection_is_made_again_and_what_came_meanwhile_is_told(
    databases: Databases, writer: PostgresStore, notice: PostgresNotice
) -> None:
    pid = notice._link.select("SELECT pg_backend_pid()")[0][0]
    with psycopg.connect(databases.server.address(), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    move(writer, 1)
    assert wait(notice)  # it is readable, since it has ended
    assert notice.changed()
    move(writer, 2)
    assert wait(notice)
    assert notice.changed()


def test_a_store_that_is_another_one_now_is_said_to_be(
    writer: PostgresStore, notice: PostgresNotice
) -> None:
    link = writer._link
    sql = "UPDATE repositories SET identity = $2 WHERE number = $1"
    link.run(lambda _: link.execute(sql, writer._number, bytes(range(16))))
    with pytest.raises(StoreError, match="not there any more"):
        notice.changed()
    notice.close()
    notice.close()
