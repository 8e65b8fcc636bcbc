"""Making a sound store of what can be read of a damaged file; the damaged one is kept aside.

Messages, nodes and dictionaries are taken from the pages, whatever is left of the trees: their
digests tell what they are. The other tables are read by SQLite as far as it comes. What is derived
is left out, and made anew when it is needed.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress

from msglog.annotation import TYPE_CHECKING, cast
from msglog.compression import CompressionError, Dictionary
from msglog.dataclass import dataclass, field
from msglog.key import KEY_BYTES, Key, key_object_id
from msglog.message import OBJECT_BYTES_LIMIT
from msglog.objectid import DIGEST_BYTES, object_id
from msglog.sqlite_file import FAILURES, connect
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_dictionaries import LEFT_PLAIN, PLAIN
from msglog.store.sqlite_link import Link
from msglog.store.sqlite_pages import records
from msglog.store.store import REPOSITORY_ID_BYTES, Commit

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from typing import Any

    from msglog.store.sqlite_pages import Record

_TRIES = 5
_AT_ONCE = 1000
_TABLES: dict[str, dict[str, type]] = {
    "reflog": {"id": int, "name": str, "root": bytes, "count": int, "time": int, "reason": str},
    "receipts": {"id": int, "user": str, "key": str, "log": str, "time": int},
    "agreed": {"id": int, "peer": str, "log": str, "view": bytes, "root": bytes, "time": int},
    "held_back": {"peer": str, "log": str, "key": bytes, "code": str, "why": str},
    "usage": {"user": str, "messages": int, "size": int},
    "retired": {"root": bytes, "time": int},
    "refs": {"name": str, "root": bytes, "count": int},
}
_INDEXED = {
    "reflog": "reflog_values",
    "receipts": "receipts_values",
    "held_back": "held_back_values",
    "usage": "usage_values",
}
_GUARDED = ("messages", "reflog")


@dataclass(slots=True)
class Salvage:
    """What was read of a damaged file. doubts: what was left out, or may be wrong, in words."""

    identity: bytes = b""
    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def salvage(
    path: str,
    aside: str,
    *,
    suffix: str,
    identity: bytes,
    time: int,
    counted: Callable[[int], None] = lambda _: None,
) -> list[str]:
    """Put a sound store in the place of the damaged one at path; return what is in doubt.

    aside: what the damaged file is called from then on. suffix: some random text. identity: for
    the new store, if the damaged one has lost its own. counted: is told how many messages were
    found. Whoever has the damaged one open cannot
    write to it any more. Raises StoreError and OSError.
    """
    unfinished = f"{path}.new-{suffix}"
    lock = _lock(path)
    try:
        found = _read_tables(path)
        if len(found.identity) != REPOSITORY_ID_BYTES:
            found.identity = identity
            found.doubts.append("the repository has another id now: its own could not be read")
        SqliteStore.create(unfinished, identity=found.identity, first=Commit(time, "made")).close()
        try:
            link = Link(connect(unfinished), unfinished)
            try:
                with link.transaction():
                    _fill(link, path, found, time, counted)
                with link.translated():
                    link.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                link.connection.close()
            _close_to_writers(lock)
            _exchange(path, unfinished, aside)
        finally:
            for rest in (unfinished, f"{unfinished}-wal", f"{unfinished}-shm"):
                with suppress(FileNotFoundError):
                    os.unlink(rest)
    finally:
        if lock is not None:
            lock.close()
    return found.doubts


# The damaged file.


def _lock(path: str) -> sqlite3.Connection | None:
    """Keep writers out, with nothing left in the write-ahead log; None where that cannot be."""
    connection = None
    try:
        connection = connect(path)
        for _ in range(_TRIES):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("BEGIN IMMEDIATE")
            if not os.path.exists(f"{path}-wal") or not os.path.getsize(f"{path}-wal"):
                return connection
            connection.execute("ROLLBACK")
    except FAILURES:
        pass
    if connection is not None:
        connection.close()
    return None


def _close_to_writers(lock: sqlite3.Connection | None) -> None:
    """Have whoever still has the damaged file open fail, rather than write what nobody reads."""
    if lock is None:
        return
    with suppress(*FAILURES):
        for table in _GUARDED:
            lock.execute(
                f"CREATE TRIGGER IF NOT EXISTS {table}_was_repaired BEFORE INSERT ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'it was repaired, and is another file now'); END"
            )
        lock.execute("COMMIT")


def _exchange(path: str, new: str, aside: str) -> None:
    os.link(path, aside)
    # What is left of it belongs to the damaged file, and must never meet the new one.
    for rest in ("-wal", "-shm"):
        if os.path.exists(path + rest):
            os.rename(path + rest, aside + rest)
    os.replace(new, path)
    descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _records(path: str) -> Iterator[Record]:
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield from records(cast("bytes", data))  # which is read as bytes are


def _read_tables(path: str) -> Salvage:
    found = Salvage()
    connection = None
    try:
        connection = connect(path)
        found.identity = _identity(connection)
        for table, columns in _TABLES.items():
            found.tables[table] = _rows(connection, table, columns, found.doubts)
    except FAILURES:
        pass
    finally:
        if connection is not None:
            connection.close()
    _complete(found, path)
    return found


def _identity(connection: sqlite3.Connection) -> bytes:
    with suppress(*FAILURES):
        for (identity,) in connection.execute("SELECT identity FROM repository NOT INDEXED"):
            if isinstance(identity, bytes):
                return identity
    return b""


def _rows(
    connection: sqlite3.Connection, table: str, columns: dict[str, type], doubts: list[str]
) -> list[tuple[Any, ...]]:
    """Return the rows of a table that can be read and are what its index says as well."""
    names = ", ".join(columns)
    rows: dict[tuple[Any, ...], None] = {}
    complete = False
    for order in ("ASC", "DESC"):
        if complete:
            break
        with suppress(*FAILURES):
            sql = f"SELECT {names} FROM {table} NOT INDEXED ORDER BY 1 {order}"  # noqa: S608
            for row in connection.execute(sql):
                rows[row] = None
            complete = True
    certain = set(rows)
    if table in _INDEXED:
        with suppress(*FAILURES):
            sql = f"SELECT {names} FROM {table} INDEXED BY {_INDEXED[table]}"  # noqa: S608
            certain = set(connection.execute(sql))
            if not complete:
                rows.update(dict.fromkeys(certain))
    if not complete:
        doubts.append(f"{table}: some rows may be missing")
    kept = {row: None for row in rows if row in certain and _fits(row, columns)}
    doubts.extend(
        f"{table}: left out, since it may be wrong: {_shown(row)}"
        for row in rows
        if row not in kept
    )
    return list(kept)


def _fits(row: tuple[Any, ...], columns: dict[str, type]) -> bool:
    """Tell whether the values of a row are of their types, and ids of their lengths."""
    return all(
        type(value) is kind
        and not (
            isinstance(value, bytes)
            and len(value) != (DIGEST_BYTES if name == "root" else KEY_BYTES)
        )
        for value, (name, kind) in zip(row, columns.items(), strict=True)
    )


def _complete(found: Salvage, path: str) -> None:
    """Read from the pages what SQLite could not: the repository's id, and what refs were."""
    if found.identity and found.tables.get("reflog"):
        return
    past: dict[int, tuple[Any, ...]] = {}
    names = _TABLES["reflog"]
    for record in _records(path):
        values = record.values
        if len(values) == len(names) and values[0] is None:
            row = (record.number, *values[1:])
            if _fits(row, names) and str(row[1]).startswith("refs/"):
                past[record.number] = row
        elif (
            len(values) == 2
            and not found.identity
            and isinstance(values[0], bytes)
            and len(values[0]) == REPOSITORY_ID_BYTES
        ):
            found.identity = values[0]
    if not found.tables.get("reflog") and past:
        found.tables["reflog"] = list(past.values())
        found.doubts.append("refs: what they were was read from single pages; some may be deleted")


def _shown(row: tuple[Any, ...]) -> str:
    values = [value.hex() if isinstance(value, bytes) else repr(value)[:60] for value in row]
    return ", ".join(values)


# The sound one.


def _fill(link: Link, path: str, found: Salvage, time: int, counted: Callable[[int], None]) -> None:
    insert = link.connection.executemany
    dictionaries = _put_dictionaries(link, path)
    nodes = _put_objects(link, path, dictionaries, counted)
    for table in ("reflog", "receipts", "agreed", "held_back", "usage", "retired"):
        names = _TABLES[table]
        marks = ", ".join("?" * len(names))
        insert(
            f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608
            found.tables.get(table, []),
        )
    refs = _refs(found, nodes)
    insert("INSERT INTO refs VALUES (?, ?, ?)", refs)
    last = _last_values(found)
    insert(
        "INSERT INTO reflog (name, root, count, time, reason) VALUES (?, ?, ?, ?, 'repair')",
        [(*ref, time) for ref in refs if last.get(ref[0]) != ref[1:]],
    )
    link.connection.execute(
        "UPDATE messages SET receipt = 0 WHERE receipt NOT IN (SELECT id FROM receipts)"
    )
    link.connection.execute(
        "INSERT OR REPLACE INTO receipts (id, user, key, log, time, messages)"
        " SELECT r.id, r.user, r.key, r.log, r.time, count(*)"
        " FROM messages m JOIN receipts r ON r.id = m.receipt GROUP BY m.receipt"
    )


def _put_dictionaries(link: Link, path: str) -> dict[int, Dictionary]:
    known: dict[int, Dictionary] = {}
    for record in _records(path):
        if len(record.values) != 3 or record.values[0] is not None or record.number in known:
            continue
        digest, data = record.values[1:]
        if isinstance(data, bytes) and digest == object_id(data):
            known[record.number] = Dictionary(data)
            link.connection.execute(
                "INSERT INTO dictionaries (id, digest, data) VALUES (?, ?, ?)",
                (record.number, digest, data),
            )
    return known


def _put_objects(
    link: Link, path: str, dictionaries: dict[int, Dictionary], counted: Callable[[int], None]
) -> set[bytes]:
    """Put in all messages and nodes that have their digests; return the ids of the nodes."""
    nodes: set[bytes] = set()
    messages = 0
    for record in _records(path):
        values = list(record.values)
        if not values or not isinstance(values[0], bytes):
            continue
        if len(values[0]) == DIGEST_BYTES and len(values) == 3:
            oid, data, seen = values
            if isinstance(data, bytes) and isinstance(seen, int) and object_id(data) == oid:
                nodes.add(oid)
                link.connection.execute(
                    "INSERT OR IGNORE INTO nodes VALUES (?, ?, ?)", (oid, data, seen)
                )
        elif len(values[0]) == KEY_BYTES and len(values) in (4, 5):
            row = _message(values, dictionaries)
            if row is not None:
                messages += 1
                counted(messages)
                link.connection.execute(
                    "INSERT OR IGNORE INTO messages (key, receipt, seen, dictionary, data)"
                    " VALUES (?, ?, ?, ?, ?)",
                    row,
                )
    return nodes


def _message(
    values: list[Any], dictionaries: dict[int, Dictionary]
) -> tuple[bytes, int, int, int, bytes] | None:
    """Return a row of messages if it is what it says."""
    if isinstance(values[1], bytes):  # as the first format had them
        values = [values[0], *values[2:4], *(values[4:] or [PLAIN]), values[1]]
    if len(values) != 5:
        return None
    key, receipt, seen, number, data = values
    if not isinstance(data, bytes) or {type(receipt), type(seen), type(number)} != {int}:
        return None
    plain = data
    if number not in (PLAIN, LEFT_PLAIN):
        if number not in dictionaries:
            return None
        try:
            plain = dictionaries[number].expand(data, OBJECT_BYTES_LIMIT)
        except CompressionError:
            return None
    if object_id(plain) != key_object_id(Key(key)):
        return None
    return key, receipt, seen, number, data


def _refs(found: Salvage, nodes: set[bytes]) -> list[tuple[str, bytes, int]]:
    """Return the refs, by what the table and the past say of them.

    Each change of a ref is in its past as well, and a deleted ref has none.
    """
    last = _last_values(found)
    listed = {name: (root, count) for name, root, count in found.tables.get("refs", [])}
    refs: dict[str, tuple[bytes, int]] = {}
    for name, (root, count) in last.items():
        said = listed.pop(name, None)
        refs[name] = said if said is not None and said[0] in nodes else (root, count)
    for name, (root, count) in listed.items():
        lost = [one for one, was in refs.items() if was[0] == root]
        if lost:
            found.doubts.append(f"refs: {name!r} is taken for {lost[0]!r}")
        else:
            refs[name] = root, count
    return [(name, root, count) for name, (root, count) in refs.items()]


def _last_values(found: Salvage) -> dict[str, tuple[bytes, int]]:
    """Return what was last written to each ref that has a past."""
    last: dict[str, tuple[bytes, int]] = {}
    for _, name, root, count, _, _ in sorted(found.tables.get("reflog", [])):
        last[name] = root, count
    return last
