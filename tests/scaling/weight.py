"""What pushes of two messages write into PostgreSQL, in stores of several sizes: WAL, rows and their bytes.

Over a real sshd, with all that a push leaves: receipts, past values, the audit. Settings are the recipe's, where they count.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.corpus import machine_vocabulary
from tests.high_availability.front_end import front_end, make_account, make_person, make_pusher
from tests.high_availability.postgresql import Server, running_server
from tests.scaling.growth import fill
from tests.scaling.throughput import DURABLE, push

SETTINGS = (*DURABLE, "wal_log_hints=on")
WAL = "SELECT pg_current_wal_lsn() - '0/0', (SELECT wal_fpi FROM pg_stat_wal)"
NODES = "SELECT count(*), sum(octet_length(data)) FROM nodes"
TABLES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


def measure(folder: Path, sizes: Sequence[int], pushes: int) -> Iterator[str]:
    """Yield lines for each size: as many messages are put in, then pushes go there twice.

    Each size is a repository of its own, so that those before are in the database as well.
    """
    words = machine_vocabulary()
    with running_server(SETTINGS) as server:
        account = make_account(folder, server.address())
        with front_end(folder, server.address(), account=account) as front:
            user = make_person(front, "instrument", "append")
            yield "| messages there | pushes | WAL a push, kB | full pages a push | nodes a push | bytes in them |"
            yield "|---|---|---|---|---|---|"
            grown: dict[str, int] = {}
            for size in sizes:
                name = f"long{size}"
                front.admin("repository", "add", name)
                fill(account, name, size, words)
                home = user.home / name
                home.mkdir()
                pusher = make_pusher(user, f"{front.address(user)}:{name}", home)
                push(pusher)
                server.query("CHECKPOINT")
                before = sizes_of(server)
                for which in ("first after a checkpoint", "next"):
                    nodes, log = numbers(server, NODES), numbers(server, WAL)
                    for _ in range(pushes):
                        push(pusher)
                    more, full, rows, size_ = (
                        (late - early) / pushes
                        for early, late in zip(
                            (*log, *nodes),
                            (*numbers(server, WAL), *numbers(server, NODES)),
                            strict=True,
                        )
                    )
                    yield (
                        f"| {size} | {which} {pushes} | {more / 1000:.1f} | {full:.1f} | {rows:.1f} | {size_:.0f} |"
                    )
                grown = {
                    table: late - before.get(table, 0) for table, late in sizes_of(server).items()
                }
            yield f"bytes on disk a push, of the last {2 * pushes}: {sum(grown.values()) / (2 * pushes):.0f}"
            for table, more in sorted(grown.items(), key=lambda item: -item[1])[:6]:
                yield f"  {table} {more / (2 * pushes):.0f}"


def numbers(server: Server, sql: str) -> list[float]:
    """Return the numbers in the one row of a question."""
    (row,) = server.query(sql)
    return [float(str(one)) for one in row]


def sizes_of(server: Server) -> dict[str, int]:
    """Return the bytes of each table, with its indexes."""
    return {str(name): int(str(size)) for name, size in server.query(TABLES)}
