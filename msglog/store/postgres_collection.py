"""Garbage collection of a store in a PostgreSQL database, beside sessions on any host.

As in SQLite (`msglog.store.sqlite_collection`): marks what roots reach without any lock, then
removes the rest in short transactions, each of which looks again at the roots before it removes
anything. There writers wait for each other; here it is the gates that have them wait. Whoever moves
a ref or agrees on a root locks one of the repository's rows in `gates` for sharing, until the
commit; who removes locks all of them alone, and then sees every root that was made since it looked
last: `msglog.store.postgres_noted` says how. What is staged again has its time renewed, and that is
looked at in the statement that deletes.

So gates are closed for as long as it takes to remove one slice, and to mark what was made since
just before; how many roots there are, and how large the logs, is no matter.

What is marked is kept in a temporary file of SQLite on this host.
"""

from __future__ import annotations

import heapq
from contextlib import closing

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import difference, iterate
from msglog.key import FIRST_KEY, SECOND, Key, key_object_id, key_time
from msglog.objectid import ObjectId
from msglog.postgres_link import MOMENT, Blobs
from msglog.store.collection import Collected
from msglog.store.marking import mark
from msglog.store.postgres_marks import PostgresMarks
from msglog.store.postgres_noted import Noted, NotNotedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from msglog.postgres_link import Attempt, Link, Row
    from msglog.store.collection import Retention, StepsDone

    _Result = TypeVar("_Result")

SLICE = 2000
"""How many rows one transaction removes, for which commits wait: tens of milliseconds, and some
tenths of a second where the machine is busy."""

_SCAN = 8192
_LOOKED_AT = 32768
"""How many rows a question looks at that is for the old ones alone: of young ones there may be so
many that it would not be answered before its deadline."""

_NO_KEY = b"\xff" * 41

_LISTED = "SELECT root FROM refs WHERE repository = $1 GROUP BY root ORDER BY max(count) DESC"
_ROOTS = """
SELECT root FROM refs WHERE repository = {0} UNION ALL
SELECT root FROM looked_up WHERE repository = {0} UNION ALL
SELECT root FROM reflog WHERE repository = {0} UNION ALL
SELECT root FROM agreed WHERE repository = {0} UNION ALL
SELECT root FROM retired WHERE repository = {0} AND time >= {1}"""
_UNMARKED = """
SELECT oid FROM roots WHERE oid > ?
AND NOT EXISTS (SELECT 1 FROM reached WHERE reached.oid = roots.oid) ORDER BY oid LIMIT ?"""

_OLD = """
SELECT {0}, is_old FROM (
    SELECT {0}, seen < $3 AS is_old, row_number() OVER (ORDER BY {1} DESC) AS back FROM (
        SELECT {0}, seen FROM {2} WHERE repository = $1 AND {1} > $2 ORDER BY {1} LIMIT $4
    ) AS part
) AS looked_at WHERE is_old OR back = 1 ORDER BY {1}"""
"""Beside the old rows the last one of each part, after which the next one begins."""

_EXPIRED_REFLOG = """
SELECT name, version FROM (
    SELECT name, version, time, row_number() OVER (PARTITION BY name ORDER BY version DESC) AS age
    FROM reflog WHERE repository = {0}
) AS entry WHERE age > 1 AND (time < {1} OR age > {2})"""
_EXPIRED_AGREED = """
SELECT peer, log, view, root, number FROM (
    SELECT peer, log, view, root, number, time,
    row_number() OVER (PARTITION BY peer, log, view ORDER BY number DESC, root) AS age
    FROM agreed WHERE repository = {0}
) AS entry WHERE time < {1} AND NOT (view = '\\x{2}'::bytea AND age = 1 AND log IN (
    SELECT substr(name, 11) FROM refs WHERE repository = {0} AND name LIKE 'refs/logs/%'
    UNION SELECT substr(name, 14 + strpos(substr(name, 14), '/')) FROM refs
    WHERE repository = {0} AND name LIKE 'refs/remotes/%'))"""
"""But for the last of each log that is here or at a remote: see `msglog.refname.log_of`."""
_OLD_ENTRY = "FROM reflog WHERE repository = $1 AND name = $2 AND version = $3"
_OLD_AGREEMENT = (
    "FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3 AND view = $4 AND root = $5"
    " AND number = $6"
)
_FORGOTTEN = """
FROM looked_up WHERE repository = $1 AND NOT EXISTS (
    SELECT 1 FROM refs WHERE refs.repository = $1
    AND name IN (looked_up.log, 'refs/logs/' || looked_up.log))"""


class Collection:
    """One run over the store of one repository."""

    def __init__(
        self, link: Link, number: int, retention: Retention, progress: StepsDone | None
    ) -> None:
        self._progress = progress
        self._link = link
        self._number = number
        self._retention = retention
        self._seen_before = retention.before // SECOND
        self._listed: list[ObjectId] = []
        self._noted = Noted(link, number)
        self._marks = PostgresMarks(link, number)

    def run(self, *, dry_run: bool) -> Collected:
        """Remove what may go, or only count it.

        Raises MissingObjectError or DamagedObjectError, and removes nothing, if an index that a
        ref needs cannot be walked.
        """
        with closing(self._marks):
            roots = self._find_expired()
            self._mark_listed()
            self._find_unlisted()
            try:
                if not dry_run:
                    self._noted.begin(self._retention.now)
                self._mark_remembered()
                self._find_unreached()
                if dry_run:
                    return self._collectable(roots)
                self._give_up()
                messages, receipts = self._remove_messages()
                return Collected(messages, self._remove_nodes(), roots, receipts)
            finally:
                self._noted.end()

    def _collectable(self, roots: int) -> Collected:
        messages, nodes = self._marks.count("unlisted"), self._marks.count("unreached")
        return Collected(messages, nodes, roots, self._unused_receipts())

    # Roots.

    def _find_expired(self) -> int:
        old = self._retention.now - self._retention.remembered
        select = _EXPIRED_REFLOG.format(self._number, old, self._retention.reflog_limit)
        into = "INSERT INTO entries (name, version) VALUES (?, ?)"
        self._keep(into, select, "text int8")
        select = _EXPIRED_AGREED.format(self._number, old, FIRST_KEY.hex())
        into = "INSERT INTO agreements (peer, log, view, root, number) VALUES (?, ?, ?, ?, ?)"
        self._keep(into, select, "text text bytea bytea int8")
        return self._marks.count("entries") + self._marks.count("agreements")

    def _give_up(self) -> None:
        """Forget roots; what they reach is kept for a grace from now on."""
        for table, where in (("entries", _OLD_ENTRY), ("agreements", _OLD_AGREEMENT)):
            last = 0
            sql = f"SELECT * FROM {table} WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - ours
            while rows := self._marks.rows(sql, last, SLICE):
                part = [row[1:] for row in rows]
                self._link.run(lambda _, part=part, where=where: self._retire(part, where))  # type: ignore[misc]
                last = rows[-1][0]

        def forget(_: Attempt) -> None:
            self._link.take_time()
            self._retire([()], _FORGOTTEN)
            before = self._retention.before
            sql = "DELETE FROM retired WHERE repository = $1 AND time < $2"
            self._link.execute(sql, self._number, before)

        self._link.run(forget)

    def _retire(self, rows: Sequence[Row], where: str) -> None:
        now = self._retention.now
        retire = (
            f"INSERT INTO retired (repository, root, time) SELECT DISTINCT repository, root, {now}"
            f" {where} ON CONFLICT (repository, root) DO UPDATE SET time = excluded.time"
        )
        statements = (
            (sql, (self._number, *row)) for row in rows for sql in (retire, f"DELETE {where}")
        )
        self._link.all(statements)

    def _mark_listed(self) -> None:
        """Mark what refs reach; where that cannot be walked, nothing can be said of the rest."""
        rows = self._link.select(_LISTED, self._number)
        self._listed = [ObjectId(root) for (root,) in rows if root != EMPTY_ROOT]
        mark(self._listed, self._marks, strict=True)

    def _mark_remembered(self) -> None:
        """Mark what any root reaches that is not marked yet; holes there are nobody's loss.

        The roots are all of one moment: some move from one table to another.
        """
        select = _ROOTS.format(self._number, self._retention.before)
        self._keep("INSERT OR IGNORE INTO roots VALUES (?)", select, "bytea")
        last = b""
        while rows := self._marks.rows(_UNMARKED, last, _SCAN):
            # An error ends the whole run, so that nothing need be undone.
            roots = [ObjectId(root) for (root,) in rows if root != EMPTY_ROOT]
            mark(roots, self._marks, strict=False)
            last = rows[-1][0]

    def _keep(self, sql: str, select: str, types: str) -> None:
        """Write rows of the database into the scratch, however many there are."""

        def copy(_: Attempt) -> None:
            self._link.take_time()
            rows = self._link.copy_out(f"COPY ({select}) TO STDOUT (FORMAT BINARY)", types.split())
            with self._marks.whole():
                self._marks.keep(sql, rows)

        self._link.run(copy, begin=MOMENT)

    def _mark(self, roots: Sequence[ObjectId]) -> None:
        """Mark what a few roots reach; where that fails in the middle, nothing is marked."""
        with self._marks.whole():
            mark([root for root in roots if root != EMPTY_ROOT], self._marks, strict=False)

    # What may go.

    def _find_unlisted(self) -> None:
        """List the messages that no ref reaches."""
        listed = self._listed_keys()
        current = next(listed, _NO_KEY)
        done = total = 0
        if self._progress is not None:
            # About: to count them all would take as long as to look at them.
            count = "SELECT coalesce(sum(count), 0)::bigint FROM refs WHERE repository = $1"
            ((total,),) = self._link.select(count, self._number)
        for rows in self._old("key, receipt", "key", "messages"):
            unlisted: list[Row] = []
            for row in rows:
                while current < row[0]:
                    current = next(listed, _NO_KEY)
                if row[0] != current:
                    unlisted.append(row)
            self._marks.keep("INSERT INTO unlisted VALUES (?, ?)", unlisted)
            done += _LOOKED_AT
            if self._progress is not None:
                self._progress(min(done, total), total)

    def _old(self, columns: str, key: str, table: str) -> Iterator[list[Row]]:
        """Yield the rows that were seen before the grace, in the order of their key."""
        sql = _OLD.format(columns, key, table)
        last = b""
        while rows := self._link.select(sql, self._number, last, self._seen_before, _LOOKED_AT):
            yield [row[:-1] for row in rows if row[-1]]
            last = rows[-1][0]

    def _listed_keys(self) -> Iterator[bytes]:
        """Yield the keys that refs reach, in order; most refs differ little from the largest."""
        if not self._listed:
            return iter(())
        read, (largest, *others) = self._marks.read_strictly, self._listed
        beyond = [difference(read, largest, root) for root in others]
        return heapq.merge(iterate(read, largest), *beyond)

    def _find_unreached(self) -> None:
        for rows in self._old("oid", "oid", "nodes"):
            doomed = [row for row in rows if not self._marks.is_reached(row[0])]
            self._marks.keep("INSERT INTO unreached VALUES (?)", doomed)

    def _unused_receipts(self) -> int:
        """Count the receipts of which all messages may go."""
        counts = "SELECT receipt, count(*) FROM unlisted GROUP BY receipt"
        unused = 0
        for part in self._marks.parts(counts, SLICE):
            doomed: dict[int, int] = dict(part)
            rows = self._link.select(
                "SELECT id, messages FROM receipts"
                " WHERE repository = $1 AND id = ANY($2::bigint[])",
                self._number,
                _numbers(doomed),
            )
            unused += sum(messages <= doomed[number] for number, messages in rows)
        return unused

    # Removing.

    def _look_again(self) -> None:
        """Let nobody else make roots until this transaction ends, and mark those that are new.

        Raises NotNotedError. Where the connection is lost in the middle, all this is done again: a
        walk that has not come to its end has marked nothing, and what was taken is noted still. A
        walk that has is marked for good, whatever becomes of the transaction, since what was taken
        may not be noted any more.
        """
        self._mark(self._noted.take())

    def _remove(self, slice_: Callable[[Attempt], _Result]) -> _Result:
        """Remove a slice in a transaction of its own, which begins with another look."""
        while True:
            # First without the gates, so that little is left for when they are closed.
            self._mark(self._noted.see())
            try:
                return self._link.run(slice_)
            except NotNotedError:
                self._noted.begin(self._retention.now)
                self._mark_remembered()

    def _remove_messages(self) -> tuple[int, int]:
        """Remove messages, and return how many of them, and of receipts."""
        removed = receipts = 0
        last = b""

        def remove(_: Attempt) -> tuple[list[bytes], int, int]:
            self._look_again()
            found = self._marks.rows(
                "SELECT key FROM unlisted WHERE key > ? ORDER BY key LIMIT ?", last, SLICE
            )
            keys = [key for (key,) in found]
            gone = self._link.select(
                "DELETE FROM messages WHERE repository = $1 AND key = ANY($2::bytea[])"
                " AND seen < $3 RETURNING key, receipt",
                self._number,
                Blobs(keys),
                self._seen_before,
            )
            return keys, len(gone), self._forget(gone) if gone else 0

        while True:
            keys, messages, unused = self._remove(remove)
            if not keys:
                return removed, receipts
            removed += messages
            receipts += unused
            last = keys[-1]

    def _forget(self, gone: Sequence[Row]) -> int:
        """Take out what else is kept of messages that are gone; return how many receipts were."""
        counts: dict[int, int] = {}
        for _, receipt in gone:
            counts[receipt] = counts.get(receipt, 0) + 1
        counts.pop(0, None)
        keys = [Key(key) for key, _ in gone]
        self._link.execute(
            "UPDATE receipts SET messages = messages - one.count, checksum = checksum - one.count"
            " FROM unnest($2::bigint[], $3::bigint[]) AS one (id, count)"
            " WHERE repository = $1 AND receipts.id = one.id",
            self._number,
            _numbers(counts),
            _numbers(counts.values()),
        )
        unused = self._link.execute(
            "DELETE FROM receipts WHERE repository = $1 AND id = ANY($2::bigint[])"
            " AND messages <= 0",
            self._number,
            _numbers(counts),
        )
        self._link.execute(
            "DELETE FROM lookup USING unnest($2::bytea[], $3::bigint[]) AS one (oid, time)"
            " WHERE repository = $1 AND lookup.oid = one.oid AND lookup.time = one.time",
            self._number,
            Blobs(map(key_object_id, keys)),
            _numbers(map(key_time, keys)),
        )
        self._link.execute(
            "DELETE FROM held_back WHERE repository = $1 AND key = ANY($2::bytea[])",
            self._number,
            Blobs(keys),
        )
        return unused

    def _remove_nodes(self) -> int:
        removed = 0
        last = b""

        def remove(_: Attempt) -> tuple[list[bytes], int]:
            found = self._marks.rows(
                "SELECT oid FROM unreached WHERE oid > ? ORDER BY oid LIMIT ?", last, SLICE
            )
            ids = [oid for (oid,) in found]
            if not ids:
                return ids, 0
            self._look_again()
            doomed = Blobs(oid for oid in ids if not self._marks.is_reached(oid))
            return ids, self._link.execute(
                "DELETE FROM nodes WHERE repository = $1 AND oid = ANY($2::bytea[]) AND seen < $3",
                self._number,
                doomed,
                self._seen_before,
            )

        while True:
            ids, count = self._remove(remove)
            if not ids:
                return removed
            removed += count
            last = ids[-1]


def _numbers(numbers: Iterable[int]) -> str:
    """Return numbers as the text of an array."""
    return f"{{{','.join(map(str, numbers))}}}"
