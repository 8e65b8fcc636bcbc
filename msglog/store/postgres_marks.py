"""What gc over a PostgreSQL database has marked, and what may go, in a file on its own host."""

from __future__ import annotations

from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING
from msglog.objectid import ObjectId, object_id
from msglog.postgres_link import Blobs
from msglog.sqlite_file import make_scratch
from msglog.store.checking import checked_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from msglog.key import Key
    from msglog.postgres_link import Link, Row

_TABLES = (
    "CREATE TABLE roots (oid BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE reached (oid BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE unreached (oid BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE unlisted (key BLOB PRIMARY KEY, receipt INTEGER) WITHOUT ROWID",
    "CREATE TABLE entries (id INTEGER PRIMARY KEY, name, version)",
    "CREATE TABLE agreements (id INTEGER PRIMARY KEY, peer, log, view, root, number)",
)

_NODES = "SELECT oid, data FROM nodes WHERE repository = $1 AND oid = ANY($2::bytea[])"


class PostgresMarks:
    """The Marks of one run over the repository of a number, whose nodes it reads.

    Its file is temporary, and memory stays bounded.
    """

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self._number = number
        self._scratch = make_scratch()
        for statement in _TABLES:
            self._scratch.execute(statement)

    def close(self) -> None:
        """Forget all."""
        self._scratch.close()

    # The file.

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Change all that is changed or, where an error ends the block, nothing."""
        self._scratch.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._scratch.execute("ROLLBACK")
            raise
        self._scratch.execute("COMMIT")

    def keep(self, sql: str, rows: Iterable[Row]) -> None:
        """Write rows into a table of the file."""
        self._scratch.executemany(sql, rows)

    def rows(self, sql: str, *values: bytes | int) -> list[Row]:
        """Return rows of the file."""
        return self._scratch.execute(sql, values).fetchall()

    def parts(self, sql: str, size: int) -> Iterator[list[Row]]:
        """Yield rows of the file, so many at a time."""
        found = self._scratch.execute(sql)
        while part := found.fetchmany(size):
            yield part

    def count(self, table: str) -> int:
        """Return how many rows a table of the file has."""
        ((count,),) = self.rows(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours
        return int(count)

    # Marks.

    def new(self, ids: list[ObjectId]) -> list[ObjectId]:
        """Return which of these nodes were not marked yet, and mark them."""
        new = [oid for oid in dict.fromkeys(ids) if not self.is_reached(oid)]
        self.keep("INSERT INTO reached VALUES (?)", [(oid,) for oid in new])
        return new

    def is_reached(self, oid: bytes) -> bool:
        """Tell whether a node is marked."""
        return bool(self.rows("SELECT 1 FROM reached WHERE oid = ?", oid))

    def lists_any(self) -> bool:
        """Tell whether any message is on the list of what may go."""
        return bool(self.rows("SELECT 1 FROM unlisted LIMIT 1"))

    def relist(self, keys: Iterable[Key]) -> None:
        """Take keys off the list of what may go."""
        self.keep("DELETE FROM unlisted WHERE key = ?", [(key,) for key in keys])

    def read(self, ids: Sequence[ObjectId], *, strict: bool) -> dict[ObjectId, bytes]:
        """Return the sound ones of some nodes; strict: raises for others."""
        if not ids:
            return {}
        rows = self._link.select(_NODES, self._number, Blobs(ids))
        found = {ObjectId(oid): data for oid, data in rows}
        if strict:
            return checked_nodes(ids, found)
        return {oid: data for oid, data in found.items() if object_id(data) == oid}

    def read_strictly(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return all these nodes, checked."""
        return self.read(ids, strict=True)
