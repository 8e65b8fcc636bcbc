"""Many writers of one log over PostgreSQL: who has lost once waits in turn, and does not lose again."""

import threading
from typing import Any

import pytest

from msglog.message import Message, object_key
from msglog.refname import log_ref
from msglog.repository import Repository
from msglog.store.postgres import PostgresStore
from msglog.store.store import Committed, Lost
from tests.postgres.databases import Databases, again

START = 1_700_000_000_000_000
WRITERS = 6
EACH = 8


def message(writer: int, number: int) -> bytes:
    uuid = bytes([writer, number]).ljust(16, b"\0")
    return Message(uuid=uuid, time=START, offset=0, author="ann", body="one of many").encode()


def test_who_has_lost_does_not_lose_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = databases.make_store(bytes(16))
    Repository(store, "one").create_log("main", time=START)
    commit = PostgresStore.commit
    # For each writer, how often it has lost since it last won.
    losses: dict[int, int] = {}
    worst: list[int] = []
    # All have read before anybody commits: all but one lose.
    read = threading.Barrier(WRITERS, timeout=60)

    def counted(self: PostgresStore, change: Any) -> Committed | Lost:
        me = threading.get_ident()
        if me not in losses:
            read.wait()
        result = commit(self, change)
        losses[me] = 0 if isinstance(result, Committed) else losses.get(me, 0) + 1
        worst.append(losses[me])
        return result

    monkeypatch.setattr(PostgresStore, "commit", counted)
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        mine = again(store)
        try:
            repository = Repository(mine, "one")
            for number in range(EACH):
                data = message(writer, number)
                repository.add("main", {object_key(data): data}, time=START)
        except BaseException as error:  # noqa: BLE001 - it is looked at
            failed.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert worst.count(1) >= WRITERS - 1
    assert max(worst) == 1
    (ref,) = [store.ref(log_ref("main"))]
    assert ref is not None
    assert ref.count == WRITERS * EACH
    keys = list(Repository(store, "one").keys(ref.root))
    assert {message(writer, number) for writer in range(WRITERS) for number in range(EACH)} == set(
        store.read_messages(keys).values()
    )
    store.close()
