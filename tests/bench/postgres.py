"""What a store in PostgreSQL costs beside one in SQLite: python -m tests.bench.postgres [MESSAGES].

On a private server with fsync on; each figure is the least of some runs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msglog.message import object_key
from msglog.postgres_link import Link, Session
from msglog.refname import log_ref
from msglog.repository import Insertion, Repository, first_commit
from msglog.store import postgres_schema
from msglog.store.postgres import ERRORS, PostgresStore
from msglog.store.postgres_snapshot import load
from msglog.store.sqlite import SqliteStore
from tests.plumbing.peers import message
from tests.postgres.server import Postgres, running_postgres

BATCH = 4096
SINGLE = 200
STARTS = 7
DURABLE = ("fsync=on", "synchronous_commit=on")


def least(work: Callable[[], object], times: int) -> float:
    """Return the least of some times in milliseconds."""
    found = []
    for _ in range(times):
        before = time.perf_counter()
        work()
        found.append(time.perf_counter() - before)
    return 1000 * min(found)


def fill(repository: Repository, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, BATCH):
        datas = map(message, range(start, min(start + BATCH, numbers.stop)))
        messages = {object_key(data): data for data in datas}
        insertion = Insertion(log_ref("main"), sorted(messages))
        repository.commit([insertion], time=1, reason="push", messages=messages)


def measure(name: str, repository: Repository, count: int) -> None:
    store = repository.store
    before = time.perf_counter()
    fill(repository, range(count))
    batches = time.perf_counter() - before
    singles = iter(range(10 * count, 10 * count + SINGLE))
    single = least(lambda: fill(repository, range(n := next(singles), n + 1)), SINGLE)
    root = repository.log("main").root
    read = least(lambda: sum(1 for _ in repository.messages(repository.keys(root))), 1)
    print(f"{name}: {count} messages")
    print(f"  in batches of {BATCH}: {1e6 * batches / count:.1f} us a message")
    print(f"  a commit of one: {single:.2f} ms")
    print(f"  read all: {1000 * read / count:.1f} us a message")
    print(f"  bytes a message: {store.size() / count:.0f}")


def sessions(server: Postgres, folder: Path) -> None:
    """Start receive-pack for a session that does nothing."""
    address = server.make_schema("account")
    command = [sys.executable, "-m", "porcelain.cli"]
    program = "from porcelain.cli import run; run()"
    command = [sys.executable, "-c", program]
    for name, more in (("SQLite", ()), ("PostgreSQL", ("--store", address))):
        account = str(folder / name)
        for words in (
            ("init", account, *more),
            ("user", "add", "ann", "--role", "write", "--account", account),
        ):
            subprocess.run([*command, "admin", *words], check=True, stdout=subprocess.DEVNULL)
        environment = {**os.environ, "SSH_ORIGINAL_COMMAND": "msglog receive-pack"}

        def start(account: str = account, environment: dict[str, str] = environment) -> None:
            subprocess.run(
                [*command, "receive-pack", "ann", "--account", account],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                check=True,
            )

        print(f"receive-pack over {name}: {least(start, STARTS):.0f} ms")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as name, running_postgres(settings=DURABLE) as server:
        folder = Path(name)
        sessions(server, folder)
        path = str(folder / "store.db")
        with closing(SqliteStore.create(path, identity=bytes(16), first=first_commit(0))) as file:
            measure("SQLite", Repository(file, folder), count)
        link = Link(Session(server.make_schema("store")), ERRORS)
        link.run(lambda _: postgres_schema.make_tables(link))
        with closing(
            PostgresStore.create(link, "main", identity=bytes(16), first=first_commit(0))
        ) as rows:
            measure("PostgreSQL", Repository(rows, folder), count)
            copy = str(folder / "copy.db")
            print(
                f"  copied out: {1000 * least(lambda: rows.snapshot(copy), 1) / count:.1f} us each"
            )
            print(
                f"  copied in: {1000 * least(lambda: load(link, 'two', copy), 1) / count:.1f} us each"
            )


if __name__ == "__main__":
    main()
