"""A commit that a standby has not got is no commit, however the wait for it ends.

PostgreSQL ends such a wait with a warning and a COMMIT where somebody cancels it, and shows what was
committed on one server alone to whoever asks next.
"""

import threading
from collections.abc import Iterator

import pytest

from msglog.message import Message, object_key
from msglog.postgres_link import Link, Session
from msglog.repository import Repository
from msglog.store import postgres_schema
from msglog.store.postgres import ERRORS, PostgresStore
from msglog.store.store import Commit
from tests.high_availability.owner import wait_for
from tests.high_availability.postgresql import (
    REPLICATED,
    Server,
    await_waiting,
    following,
    running_server,
)

START = 1_700_000_000_000_000
END_SECONDS = 60.0
WAITS = "pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    with running_server(REPLICATED) as server:
        yield server


@pytest.fixture(scope="module")
def standby(primary: Server) -> Iterator[Server]:
    with following(primary) as server:
        link = Link(Session(primary.address()), ERRORS)
        link.run(lambda _: postgres_schema.make_tables(link))
        store = PostgresStore.create(link, "main", identity=bytes(16), first=Commit(0, "made"))
        Repository(store, "main").create_log("main", time=START)
        store.close()
        yield server


class Adding:
    """An addition in a thread of its own."""

    def __init__(self, server: Server, text: str) -> None:
        self.error: BaseException | None = None
        self._server = server
        uuid = text.encode().ljust(16, b"\0")[-16:]
        self.data = Message(uuid=uuid, time=START, offset=0, author="ann", body=text).encode()
        self._thread = threading.Thread(target=self._add)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> None:
        self._thread.join(END_SECONDS)
        assert self.is_done

    def _add(self) -> None:
        link = Link(Session(self._server.address()), ERRORS)
        try:
            repository = Repository(PostgresStore.open(link, "main"), "main")
            repository.add("main", {object_key(self.data): self.data}, time=START)
        except BaseException as error:  # noqa: BLE001 - it is looked at
            self.error = error
        finally:
            link.close()


def held(server: Server, adding: Adding) -> bool:
    """Tell whether a server has a message, for everybody to see."""
    (row,) = server.query(
        f"SELECT count(*) FROM messages WHERE key = '\\x{object_key(adding.data).hex()}'"
    )
    return row == (1,)


def replayed(standby: Server) -> Server:
    """Return a standby when it shows all that it has received."""
    shows = "SELECT 1 WHERE pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()"
    wait_for("the standby", lambda: bool(standby.query(shows)), END_SECONDS)
    return standby


def test_what_the_standby_has_not_got_is_not_said_to_be_added(
    primary: Server, standby: Server
) -> None:
    with standby.frozen():
        adding = Adding(primary, "waits")
        await_waiting(primary)
        assert not adding.is_done
        assert not held(primary, adding)
    adding.end()
    assert adding.error is None
    assert held(replayed(standby), adding)


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_wait_that_somebody_ends_is_no_success(
    primary: Server, standby: Server, how: str
) -> None:
    with standby.frozen():
        adding = Adding(primary, how)
        await_waiting(primary)
        (waiting,) = primary.query(f"SELECT {WAITS}")
        primary.query(f"SELECT {how}(pid) FROM (SELECT {WAITS}) AS waiting")
        # It is there for all to see, and only there; the store finds it and waits once more.
        another = f"SELECT 1 FROM (SELECT {WAITS}) AS waiting WHERE pid <> {waiting[0]}"
        wait_for("no other wait", lambda: bool(primary.query(another)), END_SECONDS)
        assert held(primary, adding)
        assert not adding.is_done
    adding.end()
    assert adding.error is None
    assert held(replayed(standby), adding)


def test_a_second_writer_of_the_same_waits_as_the_first(primary: Server, standby: Server) -> None:
    with standby.frozen():
        first = Adding(primary, "twice")
        await_waiting(primary)
        primary.kill()
        primary.start_again()
        second = Adding(primary, "twice")
        await_waiting(primary)
        assert held(primary, first)
        assert not second.is_done
        assert not first.is_done  # whose server went away, and who tries again
    first.end()
    second.end()
    assert (first.error, second.error) == (None, None)
    assert held(replayed(standby), first)
