"""Garbage collection of a store in a SQLite file, beside whoever reads and writes meanwhile.

Marks first what roots reach, without any lock; then removes the rest in short transactions. Each
of these looks again, before it removes anything, whether others have committed since: what their
new roots reach is marked too. So nothing goes that a root reaches at that moment, whatever clocks
say; the grace is for what sessions hold that is no root's yet or no more.

What is marked is kept in temporary tables, which SQLite spills to a file: memory stays bounded.
"""

from __future__ import annotations

import heapq

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import difference, iterate
from msglog.key import FIRST_KEY, SECOND, Key, key_object_id, key_time
from msglog.objectid import ObjectId, object_id
from msglog.store.checking import checked_nodes
from msglog.store.collection import Collected
from msglog.store.marking import mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.store.collection import Retention, StepsDone
    from msglog.store.sqlite_link import Link, Value

SLICE = 2000
"""How many rows one transaction removes: a few milliseconds' work."""

_SCAN = 8192
_NO_KEY = b"\xff" * 41

_TABLES = {
    "reached": "oid BLOB PRIMARY KEY",
    "expired": "kind TEXT, id INTEGER, time INTEGER, PRIMARY KEY (kind, id)",
    "unreached": "oid BLOB PRIMARY KEY",
    "unlisted": "key BLOB PRIMARY KEY, receipt INTEGER",
    "used": "receipt INTEGER PRIMARY KEY",
}

_LISTED = "SELECT root FROM refs GROUP BY root ORDER BY max(count) DESC"
_ROOTS = """SELECT root FROM refs UNION SELECT root FROM looked_up
 UNION SELECT root FROM reflog UNION SELECT root FROM agreed
 UNION SELECT root FROM retired WHERE time >= ?"""

_EXPIRED_REFLOG = """
SELECT 'reflog', id, time FROM (
    SELECT id, time, row_number() OVER (PARTITION BY name ORDER BY id DESC) AS age FROM reflog
) WHERE age > 1 AND (time < ? OR age > ?)"""

_EXPIRED_AGREED = """
SELECT 'agreed', id, time FROM (
    SELECT id, time, row_number() OVER (PARTITION BY peer, log, view ORDER BY id DESC) AS age,
    view, log FROM agreed
) WHERE time < ? AND NOT (view = ? AND age = 1 AND log IN (
    SELECT substr(name, 11) FROM refs WHERE name GLOB 'refs/logs/*'
    UNION SELECT substr(name, 14 + instr(substr(name, 14), '/')) FROM refs
    WHERE name GLOB 'refs/remotes/*'))"""
"""But for the last of each log that is here or at a remote: see `msglog.refname.log_of`."""

_FORGOTTEN = """
SELECT log FROM looked_up WHERE NOT EXISTS (
    SELECT 1 FROM refs WHERE name IN (looked_up.log, 'refs/logs/' || looked_up.log))"""


class Collection:
    """One run over a store."""

    def __init__(self, link: Link, retention: Retention, progress: StepsDone | None) -> None:
        self._link = link
        self._retention = retention
        self._progress = progress
        self._seen_before = retention.before // SECOND
        self._listed: list[ObjectId] = []
        self._newest_receipt = 0
        self._version = -1

    def run(self, *, dry_run: bool) -> Collected:
        """Remove what may go, or only count it.

        Raises MissingObjectError or DamagedObjectError, and removes nothing, if an index that a
        ref needs cannot be walked.
        """
        self._make_tables()
        try:
            roots = self._find_expired()
            self._mark_listed()
            self._find_unlisted()
            self._mark_remembered()
            self._find_unreached()
            if dry_run:
                return Collected(*self._counts(), roots=roots, receipts=self._unused_receipts())
            self._give_up()
            messages = self._remove_messages()
            nodes = self._remove_nodes()
            receipts = self._remove_receipts()
            return Collected(messages, nodes, roots, receipts)
        finally:
            self._link.roll_back()
            self._drop_tables()

    def _make_tables(self) -> None:
        self._drop_tables()
        for name, columns in _TABLES.items():
            rowid = "" if name == "used" else " WITHOUT ROWID"
            self._link.select(f"CREATE TEMP TABLE {name} ({columns}){rowid}")

    def _drop_tables(self) -> None:
        for name in _TABLES:
            self._link.select(f"DROP TABLE IF EXISTS temp.{name}")

    def _many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Write rows into temporary tables, in one go: those need no durability."""
        link = self._link
        with link.translated():
            if link.connection.in_transaction:
                link.connection.executemany(sql, rows)
                return
            link.connection.execute("BEGIN")
            try:
                link.connection.executemany(sql, rows)
            finally:
                link.connection.execute("COMMIT")

    # Roots.

    def _find_expired(self) -> int:
        old = self._retention.now - self._retention.remembered
        into = "INSERT INTO temp.expired"
        self._link.select(f"{into} {_EXPIRED_REFLOG}", (old, self._retention.reflog_limit))
        self._link.select(f"{into} {_EXPIRED_AGREED}", (old, FIRST_KEY))
        return self._link.number("SELECT count(*) FROM temp.expired")

    def _give_up(self) -> None:
        """Forget roots; what they reach is kept for a grace from now on."""
        now = self._retention.now
        for table in ("reflog", "agreed"):
            found = "SELECT id, time FROM temp.expired WHERE kind = ?"
            rows = self._link.select(found, (table,))
            for start in range(0, len(rows), SLICE):
                part = rows[start : start + SLICE]
                # By time too: a number may have been given anew meanwhile.
                where = f"FROM {table} WHERE id = ? AND time = ?"
                with self._link.transaction():
                    self._many(
                        f"INSERT OR REPLACE INTO retired SELECT root, {now} {where}",
                        part,
                    )
                    self._many(f"DELETE {where}", part)
        with self._link.transaction():
            self._link.select(
                f"INSERT OR REPLACE INTO retired SELECT root, {now} FROM looked_up"  # noqa: S608
                f" WHERE log IN ({_FORGOTTEN})"
            )
            self._link.select(f"DELETE FROM looked_up WHERE log IN ({_FORGOTTEN})")  # noqa: S608
            self._link.select("DELETE FROM retired WHERE time < ?", (self._retention.before,))

    def _mark_listed(self) -> None:
        """Mark what refs reach; where that cannot be walked, nothing can be said of the rest."""
        self._listed = self._root_ids(_LISTED, ())
        mark(self._listed, self, strict=True)

    def _mark_remembered(self) -> None:
        """Mark what any root reaches that is not marked yet; holes there are nobody's loss."""
        # In this order: a commit between the two is then noticed later.
        self._version = self._link.number("PRAGMA data_version")
        roots = self._root_ids(
            f"SELECT root FROM ({_ROOTS}) WHERE root NOT IN (SELECT oid FROM temp.reached)",  # noqa: S608
            (self._retention.before,),
        )
        mark(roots, self, strict=False)

    def _root_ids(self, sql: str, parameters: Sequence[Value]) -> list[ObjectId]:
        rows = self._link.select(sql, parameters)
        return [
            ObjectId(root) for (root,) in self._link.checked(rows, (bytes,)) if root != EMPTY_ROOT
        ]

    # Marking.

    def lists_any(self) -> bool:
        """Tell whether any message is on the list of what may go."""
        return bool(self._link.select("SELECT 1 FROM temp.unlisted LIMIT 1"))

    def new(self, ids: list[ObjectId]) -> list[ObjectId]:
        """Return which of these nodes were not marked yet, and mark them."""
        sql = "SELECT oid FROM temp.reached WHERE oid IN"
        known = {oid for (oid,) in self._link.select_in(sql, ids)}
        new = [oid for oid in dict.fromkeys(ids) if oid not in known]
        self._many("INSERT INTO temp.reached VALUES (?)", [(oid,) for oid in new])
        return new

    def relist(self, keys: Sequence[Key]) -> None:
        """Take keys off the list of what may go."""
        self._many(
            "INSERT OR IGNORE INTO temp.used SELECT receipt FROM temp.unlisted WHERE key = ?",
            [(key,) for key in keys],
        )
        self._many("DELETE FROM temp.unlisted WHERE key = ?", [(key,) for key in keys])

    def read(self, ids: Sequence[ObjectId], *, strict: bool) -> dict[ObjectId, bytes]:
        """Return the sound ones of some nodes; strict: raises for others."""
        rows = self._link.select_in("SELECT oid, data FROM nodes WHERE oid IN", ids)
        found = {ObjectId(oid): data if isinstance(data, bytes) else b"" for oid, data in rows}
        if strict:
            return checked_nodes(ids, found)
        return {oid: data for oid, data in found.items() if object_id(data) == oid}

    def _read_strictly(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        return self.read(ids, strict=True)

    # What may go.

    def _find_unlisted(self) -> None:
        """List the messages that no ref reaches, and the receipts of all others."""
        # Receipts of what is written from now on are newer; the newest is kept, so that its number
        # is not given again.
        self._newest_receipt = self._link.number("SELECT coalesce(max(id), 0) FROM receipts")
        listed = self._listed_keys()
        current = next(listed, _NO_KEY)
        last = b""
        done = total = 0
        if self._progress is not None:
            total = self._link.number("SELECT count(*) FROM messages")
        sql = "SELECT key, receipt, seen FROM messages WHERE key > ? ORDER BY key LIMIT ?"
        while rows := self._link.select(sql, (last, _SCAN)):
            unlisted: list[tuple[bytes, int]] = []
            used: set[int] = set()
            for key, receipt, seen in self._link.checked(rows, (bytes, int, int)):
                while current < key:
                    current = next(listed, _NO_KEY)
                if key != current and seen < self._seen_before:
                    unlisted.append((key, receipt))
                else:
                    used.add(receipt)
            self._many("INSERT INTO temp.unlisted VALUES (?, ?)", unlisted)
            self._many("INSERT OR IGNORE INTO temp.used VALUES (?)", [(one,) for one in used])
            last = self._link.beyond(last, rows[-1][0])
            done += len(rows)
            if self._progress is not None:
                self._progress(done, total)

    def _listed_keys(self) -> Iterator[bytes]:
        """Yield the keys that refs reach, in order; most refs differ little from the largest."""
        if not self._listed:
            return iter(())
        read, (largest, *others) = self._read_strictly, self._listed
        beyond = [difference(read, largest, root) for root in others]
        return heapq.merge(iterate(read, largest), *beyond)

    def _find_unreached(self) -> None:
        self._link.select(
            "INSERT INTO temp.unreached SELECT oid FROM nodes"
            " WHERE seen < ? AND oid NOT IN (SELECT oid FROM temp.reached)",
            (self._seen_before,),
        )

    def _counts(self) -> tuple[int, int]:
        return (
            self._link.number("SELECT count(*) FROM temp.unlisted"),
            self._link.number("SELECT count(*) FROM temp.unreached"),
        )

    # Removing.

    def _look_again(self) -> None:
        """Mark what has become reachable since; inside a transaction that is about to remove."""
        if self._link.number("PRAGMA data_version") != self._version:
            self._mark_remembered()

    def _remove_nodes(self) -> int:
        removed, last = 0, b""
        sql = "SELECT oid FROM temp.unreached WHERE oid > ? ORDER BY oid LIMIT ?"
        while rows := self._link.select(sql, (last, SLICE)):
            with self._link.transaction():
                self._look_again()
                cursor = self._link.connection.executemany(
                    "DELETE FROM nodes WHERE oid = ? AND seen < ?"
                    " AND oid NOT IN (SELECT oid FROM temp.reached)",
                    [(oid, self._seen_before) for (oid,) in rows],
                )
                removed += cursor.rowcount
            last = rows[-1][0]
        return removed

    def _remove_messages(self) -> int:
        removed, last = 0, b""
        sql = "SELECT key FROM temp.unlisted WHERE key > ? ORDER BY key LIMIT ?"
        while True:
            with self._link.transaction():
                self._look_again()
                rows = self._link.select(sql, (last, SLICE))
                if not rows:
                    break
                keys = [Key(key) for (key,) in rows]
                self._take_from_receipts(keys)
                cursor = self._link.connection.executemany(
                    "DELETE FROM messages WHERE key = ? AND seen < ?",
                    [(key, self._seen_before) for key in keys],
                )
                removed += cursor.rowcount
                self._forget(keys)
            last = keys[-1]
        return removed

    def _take_from_receipts(self, keys: Sequence[Key]) -> None:
        """Count the messages that are about to go out of their receipts."""
        rows = self._link.select_in(
            f"SELECT receipt FROM messages WHERE seen < {self._seen_before} AND key IN",  # noqa: S608
            keys,
        )
        counts: dict[int, int] = {}
        for (receipt,) in rows:
            counts[receipt] = counts.get(receipt, 0) + 1
        counts.pop(0, None)
        self._many(
            "UPDATE receipts SET messages = messages - ? WHERE id = ?",
            [(count, receipt) for receipt, count in counts.items()],
        )

    def _forget(self, keys: Sequence[Key]) -> None:
        """Take out what else is kept of messages that are gone now, and note whose are not."""
        found = self._link.select_in("SELECT key, receipt FROM messages WHERE key IN", keys)
        kept: dict[bytes, int] = dict(found)
        self._many("INSERT OR IGNORE INTO temp.used VALUES (?)", [(one,) for one in kept.values()])
        gone = [key for key in keys if key not in kept]
        self._many(
            "DELETE FROM lookup WHERE oid = ? AND time = ?",
            [(key_object_id(key), key_time(key)) for key in gone],
        )
        self._many("DELETE FROM temp.unlisted WHERE key = ?", [(key,) for key in gone])
        # There are few, so that looking through all of them for each slice is nothing.
        held = self._link.select("SELECT DISTINCT key FROM held_back")
        doomed = {key for (key,) in held}.intersection(gone)
        self._many("DELETE FROM held_back WHERE key = ?", [(key,) for key in doomed])

    def _unused_receipts(self) -> int:
        return self._link.number(
            "SELECT count(*) FROM receipts WHERE id < ? AND id NOT IN (SELECT receipt FROM used)",
            (self._newest_receipt,),
        )

    def _remove_receipts(self) -> int:
        """Remove the receipts that no message has; only a message's first one is ever shown."""
        removed, last = 0, 0
        sql = (
            "SELECT id FROM receipts WHERE id > ? AND id < ?"
            " AND id NOT IN (SELECT receipt FROM temp.used) ORDER BY id LIMIT ?"
        )
        while rows := self._link.select(sql, (last, self._newest_receipt, SLICE)):
            with self._link.transaction():
                self._many("DELETE FROM receipts WHERE id = ?", rows)
            removed += len(rows)
            last = self._link.beyond(last, rows[-1][0])
        return removed
