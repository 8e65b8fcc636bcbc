"""A store in a PostgreSQL database, for server accounts on several hosts at once."""

from __future__ import annotations

from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT
from msglog.key import Key, key_object_id, key_time, make_key
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.postgres_link import Blobs, Errors
from msglog.store import postgres_schema
from msglog.store.checking import checked_beginning, checked_messages, checked_nodes
from msglog.store.postgres_commit import Writing, enter, lock
from msglog.store.postgres_noted import note
from msglog.store.postgres_rows import Rows, checksum
from msglog.store.store import (
    REPOSITORY_ID_BYTES,
    Committed,
    ForeignStoreError,
    Receipt,
    Ref,
    ReflogEntry,
    Refusal,
    StoreBusyError,
    StoreError,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from msglog.postgres_link import Attempt, Link, Row
    from msglog.store.collection import Beat, BytesDone, Collected, Condensed, Retention, StepsDone
    from msglog.store.postgres_notice import PostgresNotice
    from msglog.store.store import Commit, Lost

    _Result = TypeVar("_Result")

_AT_ONCE = 2000


class AbsentStoreError(StoreError):
    """The tables have no store of that name."""


class DamagedDatabaseError(IntegrityError):
    """PostgreSQL says that something is not sound, or a row cannot have been written by us."""


ERRORS = Errors(
    failed=StoreError, busy=StoreBusyError, damaged=DamagedDatabaseError, absent=ForeignStoreError
)


class PostgresStore:
    """A Store in tables that others have too; each commit is one durable transaction.

    number: of the repository in those tables. shared: the connection is another's to close.
    """

    def __init__(self, link: Link, number: int, identity: bytes, *, shared: bool = False) -> None:
        self._link = link
        self._shared = shared
        self._number = number
        self._identity = identity
        self._rows = Rows()
        self._is_exclusive = False

    @classmethod
    def create(cls, link: Link, name: str, *, identity: bytes, first: Commit) -> PostgresStore:
        """Make a new store under a name that is free, with a first change in it.

        The tables must be there. Raises StoreError if there is a store of that name.
        """
        if len(identity) != REPOSITORY_ID_BYTES:
            raise ValueError(identity)
        formats = link.select("SELECT format FROM store_format")
        postgres_schema.check_format(link, [format_ for (format_,) in formats])

        def make(attempt: Attempt) -> int:
            # A number that two take at once fails for one of them, which tries again.
            made = link.select(
                "INSERT INTO repositories (number, name, identity, created, checksum)"
                " SELECT coalesce(max(number), 0) + 1, $1::text, $2::bytea, $3::bigint, $4::bigint"
                " FROM repositories ON CONFLICT DO NOTHING RETURNING number",
                name,
                identity,
                first.time,
                checksum(name, identity, first.time),
            )
            if not made:
                return _made_before(link, name, identity) if attempt.doubtful else 0
            number: int = made[0][0]
            gates = f"generate_series(0, {postgres_schema.GATES - 1})"
            link.execute(f"INSERT INTO gates SELECT $1::integer, gate FROM {gates} gate", number)  # noqa: S608 - a number of ours
            Writing(link, number, Rows(), first).write(attempt)
            return number

        for _ in range(_AT_ONCE):
            number = link.run(make)
            if number:
                return cls(link, number, identity)
            if link.select("SELECT 1 FROM repositories WHERE name = $1", name):
                break
        raise StoreError(f"cannot make {name} in {link.place}", why="it is there already")

    @classmethod
    def open(cls, link: Link, name: str, *, shared: bool = False) -> PostgresStore:
        """Open the store of a name; raises AbsentStoreError and what else stores raise."""
        rows = link.select(
            "SELECT format, number, identity FROM store_format LEFT JOIN repositories ON name = $1",
            name,
        )
        postgres_schema.check_format(link, [format_ for format_, _, _ in rows])
        _, number, identity = rows[0]
        if number is None:
            raise AbsentStoreError(f"there is no store {name} in {link.place}")
        if len(identity) != REPOSITORY_ID_BYTES:
            raise link.damaged("a store has no repository id")
        return cls(link, number, identity, shared=shared)

    @property
    def identity(self) -> bytes:
        """16 random bytes made with the repository."""
        return self._identity

    def read_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return all these nodes, checked."""
        return checked_nodes(ids, self.find_nodes(ids))

    def read_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return all these messages, checked."""
        return checked_messages(keys, self.find_messages(keys))

    def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
        """Return the first of these messages, and as many after it as there is room for."""
        part = keys[:_AT_ONCE]
        order = "DESC" if part[0] > part[-1] else "ASC"
        # As many as there is room for, and one more, by which it is known that there is no more.
        rows = self._link.select(
            "SELECT key, data, form FROM (SELECT key, data, form, sum(octet_length(data)) OVER"  # noqa: S608 - words of ours
            f" (ORDER BY key {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS before"
            " FROM messages WHERE repository = $1 AND key = ANY($2::bytea[])) AS found"
            f" WHERE before IS NULL OR before <= $3 ORDER BY key {order}",
            self._number,
            Blobs(part),
            byte_limit,
        )
        return checked_beginning(part, rows, byte_limit, self._rows.expanded)

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return the nodes that are there, unchecked."""
        sql = "SELECT oid, data FROM nodes WHERE repository = $1 AND oid = ANY($2::bytea[])"
        return {ObjectId(oid): data for oid, data in self._found(sql, ids)}

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the messages that are there, unchecked."""
        sql = (
            "SELECT key, data, form FROM messages WHERE repository = $1 AND key = ANY($2::bytea[])"
        )
        expanded = self._rows.expanded
        return {Key(key): expanded(data, form) for key, data, form in self._found(sql, keys)}

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """Return the receipts of those of these messages that have one."""
        sql = (
            'SELECT m.key, r."user", r.time, r.log, r.key FROM messages m JOIN receipts r'
            " ON r.repository = m.repository AND r.id = m.receipt"
            " WHERE m.repository = $1 AND m.key = ANY($2::bytea[])"
        )
        return {Key(row[0]): Receipt(*row[1:]) for row in self._found(sql, keys)}

    def _found(self, sql: str, names: Sequence[bytes]) -> Iterator[Row]:
        for start in range(0, len(names), _AT_ONCE):
            part = Blobs(names[start : start + _AT_ONCE])
            yield from self._link.select(sql, self._number, part)

    def commit(self, commit: Commit) -> Committed | Lost:
        """Write a change in one transaction, or nothing of it."""
        exclusive = self._is_exclusive
        if self._link.is_within and commit.refs and not exclusive:
            # Which may be lost, and undoes all then.
            raise StoreError("a change of refs cannot be a part of another change")
        writing = Writing(self._link, self._number, self._rows, commit, entered=exclusive)
        lost = self._link.run(writing.write)
        if lost is not None:
            return lost
        if commit.refs and not exclusive:
            self._tell()
        return Committed()

    def _tell(self) -> None:
        """Let those know who wait for a change of refs; see `msglog.store.postgres_notice`."""
        # Once: what is committed is, and who waits finds out a little later by asking.
        self._link.try_to_say("SELECT pg_notify($1, '')", postgres_schema.channel(self._number))

    def settled(self, read: Callable[[], _Result]) -> _Result:
        """Return what is read, when the standbys that commits wait for have it.

        The transaction that reads locks a row, and so waits as any that writes, and on the same
        server. Where no standby answers, that is waited for once.
        """

        def work(_: Attempt) -> _Result:
            self._link.all([enter(self._number)])
            return read()

        return self._link.run(work, waits_once=True)

    def exclusively(self, refs: Sequence[str], work: Callable[[], _Result]) -> _Result:
        """Do work in one transaction, which first locks the rows of these refs.

        Otherwise all who wait for the one who is first compute in vain, and with eight writers of
        one log three quarters of the work are that.
        """

        def locked(_: Attempt) -> _Result:
            self._link.all([enter(self._number), *lock(self._number, refs)])
            self._is_exclusive = True
            try:
                return work()
            finally:
                self._is_exclusive = False

        result = self._link.run(locked)
        self._tell()
        return result

    def usage(self, user: str) -> Usage:
        """Return what a user was the first to deliver."""
        rows = self._link.select(
            'SELECT messages, size FROM usage WHERE repository = $1 AND "user" = $2',
            self._number,
            user,
        )
        return Usage(*rows[0]) if rows else Usage()

    def ref(self, name: str) -> Ref | None:
        """Return one ref."""
        rows = self._link.select(
            "SELECT root, count FROM refs WHERE repository = $1 AND name = $2", self._number, name
        )
        return self._as_ref(*rows[0]) if rows else None

    def refs(self, prefix: str = "") -> dict[str, Ref]:
        """Return the refs whose names begin with prefix."""
        rows = self._link.select(
            "SELECT name, root, count FROM refs WHERE repository = $1 AND left(name, $2) = $3",
            self._number,
            len(prefix),
            prefix,
        )
        # Here, since the database orders texts as its language does.
        return {name: self._as_ref(root, count) for name, root, count in sorted(rows)}

    def _as_ref(self, root: bytes, count: int) -> Ref:
        if len(root) != DIGEST_BYTES:
            raise self._link.damaged("a ref points to no root")
        return Ref(ObjectId(root), count)

    def reflog(self, name: str, limit: int) -> list[ReflogEntry]:
        """Return the past values of a ref, newest first."""
        rows = self._link.select(
            "SELECT root, count, time, reason FROM reflog WHERE repository = $1 AND name = $2"
            " ORDER BY version DESC LIMIT $3",
            self._number,
            name,
            limit,
        )
        return [ReflogEntry(ObjectId(row[0]), *row[1:]) for row in rows]

    def in_reflog(self, name: str, root: ObjectId) -> bool:
        """Tell whether a ref ever pointed to root."""
        sql = "SELECT 1 FROM reflog WHERE repository = $1 AND name = $2 AND root = $3 LIMIT 1"
        return bool(self._link.select(sql, self._number, name, root))

    def agreed(self, peer: str, log: str, view: Key) -> list[ObjectId]:
        """Return the roots agreed with a peer, newest first."""
        rows = self._link.select(
            "SELECT root FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3 AND view = $4"
            " ORDER BY number DESC, root",
            self._number,
            peer,
            log,
            view,
        )
        return [ObjectId(root) for (root,) in rows]

    def held_back(self, peer: str, log: str) -> list[Refusal]:
        """Return the messages that a peer refused last."""
        rows = self._link.select(
            "SELECT key, code, why FROM held_back WHERE repository = $1 AND peer = $2 AND log = $3"
            " ORDER BY key",
            self._number,
            peer,
            log,
        )
        return [Refusal(Key(key), code, why) for key, code, why in rows]

    def indexed(self, log: str) -> ObjectId:
        """Return the root up to which the look-up by id knows a log."""
        rows = self._link.select(
            "SELECT root FROM looked_up WHERE repository = $1 AND log = $2", self._number, log
        )
        return ObjectId(rows[0][0]) if rows else EMPTY_ROOT

    def extend_index(self, log: str, root: ObjectId, keys: Iterable[Key]) -> None:
        """Add keys to the look-up by id, in short transactions; the last one says that all are."""
        rest = iter(keys)
        while True:
            # Read first: so no transaction lasts as long as an index is walked.
            part = sorted(islice(rest, _AT_ONCE), key=key_object_id)
            is_last = len(part) < _AT_ONCE
            self._link.run(lambda _, part=part, end=is_last: self._learn(log, root, part, end=end))  # type: ignore[misc]
            if is_last:
                return

    def _learn(self, log: str, root: ObjectId, keys: Sequence[Key], *, end: bool) -> None:
        times = f"{{{','.join([str(key_time(key)) for key in keys])}}}"
        self._link.execute(
            "INSERT INTO lookup (repository, oid, time) SELECT $1::integer, one.oid, one.time"
            " FROM unnest($2::bytea[], $3::bigint[]) AS one (oid, time)"
            " ON CONFLICT (repository, oid) DO NOTHING",
            self._number,
            Blobs(map(key_object_id, keys)),
            times,
        )
        if end:
            self._link.execute(
                "INSERT INTO looked_up (repository, log, root) VALUES ($1, $2, $3)"
                " ON CONFLICT (repository, log) DO UPDATE SET root = excluded.root",
                self._number,
                log,
                root,
            )
            # No gate is passed for it: nothing depends on what the look-up by id knows.
            self._link.all([note(self._number, [root])])

    def look_up(self, abbreviation: str, limit: int) -> list[Key]:
        """Return the keys whose ids begin with these hex digits."""
        digits = 2 * DIGEST_BYTES
        rows = self._link.select(
            "SELECT oid, time FROM lookup WHERE repository = $1 AND oid BETWEEN $2 AND $3"
            " ORDER BY oid LIMIT $4",
            self._number,
            bytes.fromhex(abbreviation.ljust(digits, "0")),
            bytes.fromhex(abbreviation.ljust(digits, "f")),
            limit,
        )
        return [make_key(time, ObjectId(oid)) for oid, time in rows]

    def collect(
        self,
        retention: Retention,
        *,
        dry_run: bool = False,
        progress: StepsDone | None = None,
    ) -> Collected:
        """Remove what no root reaches, in short transactions; or only say how much it is."""
        from msglog.store.postgres_collection import Collection  # noqa: PLC0415 - for gc alone

        collection = Collection(self._link, self._number, retention, progress)
        return collection.run(dry_run=dry_run)

    def condense(self, *, progress: StepsDone | None = None) -> Condensed:
        """Do nothing: rows are written compressed, and PostgreSQL sees to its own free space."""
        from msglog.store.collection import Condensed  # noqa: PLC0415 - for gc alone

        del progress  # there is nothing to wait for
        size = self.size()
        return Condensed(0, size, size)

    def held_keys(self) -> Iterator[Key]:
        """Yield all keys, some at a time."""
        last = b""
        sql = "SELECT key FROM messages WHERE repository = $1 AND key > $2 ORDER BY key LIMIT $3"
        while rows := self._link.select(sql, self._number, last, _AT_ONCE):
            yield from (Key(key) for (key,) in rows)
            last = rows[-1][0]

    def forget_agreed(self, log: str) -> None:
        """Forget what was agreed about a log."""
        sql = "DELETE FROM agreed WHERE repository = $1 AND log = $2"
        self._link.run(lambda _: self._link.execute(sql, self._number, log))

    def snapshot(self, path: str, *, progress: BytesDone | None = None) -> None:
        """Write all, as it is at one moment, into a new file of SQLite."""
        from msglog.store.postgres_snapshot import write  # noqa: PLC0415 - seldom wanted

        write(self._link, self._number, self._identity, path, progress)

    def notice(self) -> PostgresNotice:
        """Return what tells of the commits of all connections, over one of its own."""
        from msglog.store.postgres_notice import PostgresNotice  # noqa: PLC0415 - for who waits

        session = self._link.session
        return PostgresNotice(session.address, ERRORS, self._number, self._identity)

    def size(self) -> int:
        """Return the bytes of the tables: this repository's part, by the messages of its logs."""
        tables = " + ".join(
            f"pg_total_relation_size('{table}')" for table in postgres_schema.TABLES
        )
        ((total, all_, own),) = self._link.select(
            f"SELECT {tables}, (SELECT sum(count)::bigint FROM refs),"  # noqa: S608 - names of ours
            " (SELECT sum(count)::bigint FROM refs WHERE repository = $1)",
            self._number,
        )
        return int(total * (own or 0) // all_ if all_ else total)

    def faults(self, beat: Beat | None = None) -> Iterator[str]:  # noqa: ARG002 - see Store
        """Yield what is damaged in the tables that no object's id tells."""
        from msglog.store.postgres_faults import faults  # noqa: PLC0415 - for verification alone

        yield from faults(self._link, self._number)

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        if not self._shared:
            self._link.close()


def _made_before(link: Link, name: str, identity: bytes) -> int:
    """Return the number of the store that an attempt has made whose answer was lost, or 0."""
    sql = "SELECT number FROM repositories WHERE name = $1 AND identity = $2"
    for (number,) in link.select(sql, name, identity):
        link.all([enter(number)])  # so that this commit waits for the standbys
        return int(number)
    return 0
