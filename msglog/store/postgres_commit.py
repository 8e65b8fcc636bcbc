"""Writing one change into a store in a PostgreSQL database, inside a transaction of the caller's.

Three times statements are sent and answers waited for: the refs, whose rows stay locked; then the
messages and nodes; then what is known once it is known which messages are new.
"""

from __future__ import annotations

import random

from msglog.annotation import TYPE_CHECKING
from msglog.key import FIRST_KEY
from msglog.objectid import ObjectId
from msglog.postgres_link import Blobs, fresh_number
from msglog.store.postgres_noted import note
from msglog.store.postgres_rows import checksum, text
from msglog.store.postgres_schema import GATES
from msglog.store.store import (
    AGREED_LIMIT,
    VIEWS_LIMIT,
    Lost,
    OverQuotaError,
    Ref,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias, TypeVar

    from msglog.key import Key
    from msglog.postgres_link import Attempt, Link, Value
    from msglog.store.postgres_rows import Rows
    from msglog.store.store import (
        Agreement,
        Commit,
        HeldBack,
        RefUpdate,
    )

    Statement: TypeAlias = "tuple[str, Sequence[Value]]"
    _Name = TypeVar("_Name", Key, ObjectId)

_SECOND = 1_000_000
_MESSAGES_AT_ONCE = 4096
_BYTES_AT_ONCE = 8 << 20

ENTER = "SELECT 1 FROM gates WHERE repository = $1 AND number = $2 FOR SHARE"

_FIND_REF = "SELECT root, count FROM refs WHERE repository = $1 AND name = $2"
_LOCK_REF = f"{_FIND_REF} FOR UPDATE"
_NEW_REF = """
INSERT INTO refs (repository, name, root, count, version) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (repository, name) DO NOTHING RETURNING version"""
_MOVE_REF = """
UPDATE refs SET root = $3, count = $4, version = version + 1
WHERE repository = $1 AND name = $2 AND root = $5 RETURNING version"""
_DELETE_REF = """
DELETE FROM refs WHERE repository = $1 AND name = $2 AND root = $3 RETURNING version"""

# Younger than a moment ago on another host's clock stays younger.
INSERT_NODES = """
INSERT INTO nodes (repository, seen, oid, data)
SELECT $1::integer, $2::bigint, one.oid, one.data
FROM unnest($3::bytea[], $4::bytea[]) AS one (oid, data)
ON CONFLICT (repository, oid) DO UPDATE
SET data = excluded.data, seen = greatest(nodes.seen, excluded.seen)"""

# A row that was there keeps its receipt, and so tells whether it was.
INSERT_MESSAGES = """
INSERT INTO messages (repository, receipt, seen, form, key, data)
SELECT $1::integer, $2::bigint, $3::bigint, one.form, one.key, one.data
FROM unnest($4::smallint[], $5::bytea[], $6::bytea[]) AS one (form, key, data)
ON CONFLICT (repository, key) DO UPDATE
SET data = excluded.data, form = excluded.form, seen = greatest(messages.seen, excluded.seen)"""
_RETURNING = " RETURNING key, receipt"

_COUNT = """
INSERT INTO usage (repository, "user", messages, size, checksum) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (repository, "user") DO UPDATE SET messages = usage.messages + excluded.messages,
size = usage.size + excluded.size, checksum = usage.checksum + excluded.messages + excluded.size
RETURNING messages, size"""
_RECEIPT = """
INSERT INTO receipts (repository, id, "user", key, log, time, messages, checksum)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_REFLOG = """
INSERT INTO reflog (repository, name, version, root, count, time, reason, token, checksum)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_RETIRE_REF = """
INSERT INTO retired (repository, root, time)
SELECT DISTINCT repository, root, $3::bigint FROM reflog WHERE repository = $1 AND name = $2
ON CONFLICT (repository, root) DO UPDATE SET time = excluded.time"""
_FORGET_REFLOG = "DELETE FROM reflog WHERE repository = $1 AND name = $2"
_AGREE = """
INSERT INTO agreed (repository, peer, log, view, root, number, time)
SELECT $1::integer, $2::text, $3::text, $4::bytea, $5::bytea, coalesce(max(number), 0) + 1,
$6::bigint FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3
ON CONFLICT (repository, peer, log, view, root)
DO UPDATE SET number = excluded.number, time = excluded.time"""
_OLD_AGREED = f"""
SELECT root FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3 AND view = $4
ORDER BY number DESC, root OFFSET {AGREED_LIMIT}"""  # noqa: S608 - a number of ours
_RETIRE = f"""
INSERT INTO retired (repository, root, time)
SELECT $1::integer, old.root, $5::bigint FROM ({_OLD_AGREED}) old
ON CONFLICT (repository, root) DO UPDATE SET time = excluded.time"""  # noqa: S608 - ours
_DISAGREE = f"""
DELETE FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3 AND view = $4
AND root IN ({_OLD_AGREED})"""  # noqa: S608 - ours
# Of views there may be as many as there are times: all roots of the oldest ones go.
_OLD_VIEWS = f"""
FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3 AND view IN (
    SELECT view FROM agreed WHERE repository = $1 AND peer = $2 AND log = $3 AND view <> $4
    GROUP BY view ORDER BY max(number) DESC OFFSET {VIEWS_LIMIT})"""  # noqa: S608 - a number of ours
_RETIRE_VIEWS = f"""
INSERT INTO retired (repository, root, time)
SELECT DISTINCT repository, root, $5::bigint {_OLD_VIEWS}
ON CONFLICT (repository, root) DO UPDATE SET time = excluded.time"""
_FORGET_VIEWS = f"DELETE {_OLD_VIEWS}"
_ACCEPTED = """
DELETE FROM held_back WHERE repository = $1 AND peer = $2 AND log = $3 AND key = ANY($4::bytea[])"""
_REFUSED = """
INSERT INTO held_back (repository, peer, log, key, code, why) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (repository, peer, log, key) DO UPDATE SET code = excluded.code, why = excluded.why"""


def enter(number: int) -> Statement:
    """Return what a transaction begins with that gc is to wait for; number: of the repository.

    It locks a row, and so its commit waits for the standbys, whatever else it does.
    """
    return ENTER, (number, random.randrange(GATES))  # noqa: S311 - no secret


def lock(number: int, refs: Sequence[str]) -> list[Statement]:
    """Return what keeps others from moving some refs that are there; in an order that all keep."""
    return [(_LOCK_REF, (number, name)) for name in sorted(refs)]


class Writing:
    """One change, which may be tried several times. number: of the repository.

    entered: the transaction that it is a part of has begun with `enter`.
    """

    def __init__(
        self, link: Link, number: int, rows: Rows, commit: Commit, *, entered: bool = False
    ) -> None:
        self._link = link
        self._number = number
        self._rows = rows
        self._commit = commit
        self._tokens: list[int] = []
        self._has_entered = entered

    def write(self, attempt: Attempt) -> Lost | None:
        """Write all of the change, or roll back and return what it was lost to.

        In a doubtful attempt, what an earlier one has done counts as done. Raises OverQuotaError.
        """
        token = fresh_number()
        self._tokens.append(token)
        versions = self._move_refs()
        lost = next((one for one in versions if isinstance(one, Lost)), None)
        if lost is not None:
            is_done = attempt.doubtful and self._is_done()
            self._link.roll_back()
            if not is_done:
                return lost
            # The standbys may not have what was done: a commit that locked a row waits for them.
            self._link.begin()
            self._link.all([enter(self._number)])
            return None
        receipt = fresh_number() if self._has_receipt else 0
        new = self._write_objects(receipt)
        self._link.all(self._rest(token, receipt, new, versions))
        return None

    @property
    def _has_receipt(self) -> bool:
        return self._commit.receipt is not None and bool(self._commit.messages)

    # Refs.

    def _move_refs(self) -> list[int | Lost]:
        """Move the refs, in the order of their names, and return their versions.

        What moves is locked until the end, so that nothing else is done for a change that is lost.
        """
        commit = self._commit
        if not commit.refs and not commit.agreed:
            return []
        order = sorted(range(len(commit.refs)), key=lambda at: commit.refs[at].name)
        statements = [] if self._has_entered else [enter(self._number)]
        statements += [self._move(commit.refs[at]) for at in order]
        cursors = self._link.all(statements)
        versions: dict[int, int | Lost] = {}
        for at, cursor in zip(order, cursors[len(cursors) - len(order) :], strict=True):
            update, row = commit.refs[at], cursor.fetchone()
            is_there = row is not None
            if update.old is None and update.new is None:
                versions[at] = 0 if not is_there else self._lost(update)
            else:
                versions[at] = row[0] if row is not None else self._lost(update)
        return [versions[at] for at in range(len(commit.refs))]

    def _move(self, update: RefUpdate) -> Statement:
        where = (self._number, update.name)
        if update.new is None:
            return (_FIND_REF, where) if update.old is None else (_DELETE_REF, (*where, update.old))
        target = (update.new.root, update.new.count)
        if update.old is None:
            return _NEW_REF, (*where, *target)
        return _MOVE_REF, (*where, *target, update.old)

    def _lost(self, update: RefUpdate) -> Lost:
        rows = self._link.select(_FIND_REF, self._number, update.name)
        return Lost(update.name, Ref(ObjectId(rows[0][0]), rows[0][1]) if rows else None)

    def _is_done(self) -> bool:
        """Tell whether an attempt whose answer was lost has moved the refs."""
        for update in self._commit.refs:
            if update.new is None:
                if self._link.select(_FIND_REF, self._number, update.name):
                    return False
            elif not self._link.select(
                "SELECT 1 FROM reflog WHERE repository = $1 AND name = $2"
                " AND token = ANY($3::bigint[]) LIMIT 1",
                self._number,
                update.name,
                _numbers(self._tokens),
            ):
                return False
        return True

    # Objects.

    def _write_objects(self, receipt: int) -> list[Key]:
        """Write nodes and messages, and return the messages that were not there before."""
        commit, seen = self._commit, self._commit.time // _SECOND
        statements: list[Statement] = []
        for ids in _parts(commit.nodes):
            blobs = Blobs(commit.nodes[oid] for oid in ids)
            statements.append((INSERT_NODES, (self._number, seen, Blobs(ids), blobs)))
        sql = INSERT_MESSAGES + (_RETURNING if receipt else "")
        first = len(statements)
        for keys in _parts(commit.messages):
            kept = [self._rows.kept(commit.messages[key]) for key in keys]
            forms = _numbers([form for form, _ in kept])
            blobs = Blobs(data for _, data in kept)
            statements.append((sql, (self._number, receipt, seen, forms, Blobs(keys), blobs)))
        if not statements:
            return []
        cursors = self._link.all(statements)[first:]
        if not receipt:
            return []
        rows = [row for cursor in cursors for row in cursor.fetchall()]
        return [key for key, given in rows if given == receipt]

    # What comes of them.

    def _rest(
        self, token: int, receipt: int, new: Sequence[Key], versions: Sequence[int | Lost]
    ) -> Iterator[Statement]:
        commit, number = self._commit, self._number
        if self._has_receipt:
            yield from self._counted(receipt, new)
        for update, version in zip(commit.refs, versions, strict=True):
            name = update.name
            if update.new is None:
                # Whoever reads the log just now is not to lose it under their hands.
                yield _RETIRE_REF, (number, name, commit.time)
                yield _FORGET_REFLOG, (number, name)
            elif isinstance(version, int):
                entry = (update.new.root, update.new.count, commit.time, text(commit.reason))
                yield (
                    _REFLOG,
                    (number, name, version, *entry, token, checksum(name, version, *entry, token)),
                )
        made = [update.new.root for update in commit.refs if update.new is not None]
        made += [agreement.root for agreement in commit.agreed]
        if made:
            yield note(number, made)
        for agreement in commit.agreed:
            yield from self._agreed(agreement)
        for change in commit.held_back:
            yield from self._held_back(change)

    def _counted(self, receipt: int, new: Sequence[Key]) -> Iterator[Statement]:
        """Count what a user is the first to deliver; raises OverQuotaError."""
        commit = self._commit
        given, user = commit.receipt, text(commit.counted_user)
        if given is None:
            return
        size = sum(len(commit.messages[key]) for key in new)
        base = checksum(user) + len(new) + size
        ((messages, bytes_),) = self._link.select(_COUNT, self._number, user, len(new), size, base)
        if new and commit.quota is not None and not commit.quota.allows(Usage(messages, bytes_)):
            raise OverQuotaError(given.user)
        if new:
            values = (text(given.user), text(given.key), text(given.log), given.time)
            row = (self._number, receipt, *values, len(new), checksum(receipt, *values) + len(new))
            yield _RECEIPT, row

    def _agreed(self, agreement: Agreement) -> Iterator[Statement]:
        where = (self._number, agreement.peer, agreement.log, agreement.view)
        yield _AGREE, (*where, agreement.root, self._commit.time)
        yield _RETIRE, (*where, self._commit.time)
        yield _DISAGREE, where
        if agreement.view != FIRST_KEY:
            place = (self._number, agreement.peer, agreement.log, FIRST_KEY)
            yield _RETIRE_VIEWS, (*place, self._commit.time)
            yield _FORGET_VIEWS, place

    def _held_back(self, change: HeldBack) -> Iterator[Statement]:
        where = (self._number, change.peer, change.log)
        if change.accepted:
            yield _ACCEPTED, (*where, Blobs(change.accepted))
        for refusal in change.refused:
            yield _REFUSED, (*where, refusal.key, text(refusal.code), text(refusal.why))


def _parts(objects: Mapping[_Name, bytes]) -> Iterator[list[_Name]]:
    """Yield the names of objects in order, so that two writers never wait for each other."""
    part: list[_Name] = []
    size = 0
    for name in sorted(objects):
        part.append(name)
        size += len(objects[name])
        if len(part) >= _MESSAGES_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _numbers(numbers: Sequence[int]) -> str:
    """Return numbers as the text of an array."""
    return f"{{{','.join(map(str, numbers))}}}"
