"""A store's whole contents between a PostgreSQL database and a file of SQLite, by COPY.

Both are as they were at one moment. What the two keep otherwise is turned into what the other has:
the order of past values and of agreed roots, the numbers of receipts, and how messages are kept.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.new_file import filled_beside, in_one_file
from msglog.postgres_link import MOMENT
from msglog.sqlite_file import FAILURES, connect
from msglog.store.postgres import PostgresStore
from msglog.store.postgres_rows import Rows, checksum, text
from msglog.store.postgres_schema import TABLES
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_dictionaries import Dictionaries
from msglog.store.sqlite_link import Link as File
from msglog.store.sqlite_link import translation
from msglog.store.store import Commit, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from msglog.postgres_link import Attempt, Link, Row
    from msglog.store.collection import BytesDone

_SEED = 1
"""A snapshot's receipts are numbered from here on."""

_TOLD_EVERY = 256

_OUT: Sequence[tuple[str, str, str]] = (
    (
        "SELECT name, root, count FROM refs WHERE repository = {}",
        "text bytea int8",
        "INSERT INTO refs (name, root, count) VALUES (?, ?, ?)",
    ),
    (
        "SELECT name, root, count, time, reason FROM reflog WHERE repository = {} ORDER BY version",
        "text bytea int8 int8 text",
        "INSERT INTO reflog (name, root, count, time, reason) VALUES (?, ?, ?, ?, ?)",
    ),
    (
        'SELECT "user", messages, size FROM usage WHERE repository = {}',
        "text int8 int8",
        "INSERT INTO usage VALUES (?, ?, ?)",
    ),
    (
        "SELECT peer, log, view, root, time FROM agreed WHERE repository = {} ORDER BY number",
        "text text bytea bytea int8",
        "INSERT INTO agreed (peer, log, view, root, time) VALUES (?, ?, ?, ?, ?)",
    ),
    (
        "SELECT root, time FROM retired WHERE repository = {}",
        "bytea int8",
        "INSERT INTO retired VALUES (?, ?)",
    ),
    (
        "SELECT peer, log, key, code, why FROM held_back WHERE repository = {}",
        "text text bytea text text",
        "INSERT INTO held_back VALUES (?, ?, ?, ?, ?)",
    ),
    (
        "SELECT oid, time FROM lookup WHERE repository = {}",
        "bytea int8",
        "INSERT INTO lookup VALUES (?, ?)",
    ),
    (
        "SELECT log, root FROM looked_up WHERE repository = {}",
        "text bytea",
        "INSERT INTO looked_up VALUES (?, ?)",
    ),
    (
        "SELECT oid, data, seen FROM nodes WHERE repository = {}",
        "bytea bytea int8",
        "INSERT INTO nodes VALUES (?, ?, ?)",
    ),
)
"""What is asked of PostgreSQL, the types of its columns, and what SQLite is told."""


def write(
    link: Link, number: int, identity: bytes, path: str, progress: BytesDone | None = None
) -> None:
    """Make a file of SQLite at path that has all of a store; raises StoreError.

    progress: is told the bytes of the messages.
    """
    try:
        with filled_beside(path) as unfinished:
            _write(link, number, identity, unfinished, progress)
    except OSError as error:
        raise StoreError(f"cannot make {path}", why=error.strerror or str(error)) from error


def _write(link: Link, number: int, identity: bytes, path: str, progress: BytesDone | None) -> None:
    SqliteStore.create(path, identity=identity, first=Commit(0, "copied")).close()
    file = File(connect(path), path)

    def fill(_: Attempt) -> None:
        link.take_time()
        file.roll_back()  # what an attempt that was cut off has done
        file.connection.execute("BEGIN")
        _fill(link, number, file, progress)

    try:
        with file.translated():
            in_one_file(file.connection)
            link.run(fill, begin=MOMENT)
            file.connection.execute("COMMIT")
    finally:
        file.connection.close()


def _fill(link: Link, number: int, file: File, progress: BytesDone | None) -> None:
    insert = file.connection.executemany
    for select, types, sql in _OUT:
        insert(sql, link.copy_out(_copy_out(select.format(number)), types.split()))
    ((created,),) = link.select("SELECT created FROM repositories WHERE number = $1", number)
    file.connection.execute("UPDATE repository SET created = ?", (created,))
    # They have random numbers there; which are which here is kept in a file as well.
    file.connection.execute("CREATE TEMP TABLE numbers (receipt INTEGER PRIMARY KEY, number)")
    receipts = link.copy_out(
        _copy_out(
            'SELECT id, "user", key, log, time, messages FROM receipts'  # noqa: S608 - a number of ours
            f" WHERE repository = {number} ORDER BY time, id"
        ),
        ("int8", "text", "text", "text", "int8", "int8"),
    )
    insert(
        "INSERT INTO receipts (id, user, key, log, time, messages) VALUES (?, ?, ?, ?, ?, ?)",
        _numbered(receipts, file),
    )
    rows = Rows()
    messages = link.copy_out(
        _copy_out(
            "SELECT key, data, form, receipt, seen FROM messages"  # noqa: S608 - a number of ours
            f" WHERE repository = {number} ORDER BY key"
        ),
        ("bytea", "bytea", "int2", "int8", "int8"),
    )
    insert(
        "INSERT INTO messages (key, data, receipt, seen) VALUES (?, ?,"
        " coalesce((SELECT number FROM temp.numbers WHERE receipt = ?), 0), ?)",
        (
            (key, rows.expanded(data, form), receipt, seen)
            for key, data, form, receipt, seen in _counted(messages, progress)
        ),
    )


def _numbered(receipts: Iterable[Row], file: File) -> Iterator[Row]:
    """Yield receipts with numbers of their own, and note which number each has."""
    for number, (receipt, *values) in enumerate(receipts, _SEED):
        file.connection.execute("INSERT INTO temp.numbers VALUES (?, ?)", (receipt, number))
        yield (number, *values)


def _counted(messages: Iterable[Row], progress: BytesDone | None) -> Iterator[Row]:
    """Yield rows whose second value is bytes, and tell now and then how many these are."""
    size = 0
    for number, row in enumerate(messages):
        size += len(row[1])
        if progress is not None and number % _TOLD_EVERY == 0:
            progress(size, None)
        yield row


def _copy_out(select: str) -> str:
    return f"COPY ({select}) TO STDOUT (FORMAT BINARY)"


def load(link: Link, name: str, path: str, progress: BytesDone | None = None) -> None:
    """Put all that a store in a file of SQLite has into the store of a name, made if need be.

    What that had is gone then. All of it happens, or nothing. progress: as for `write`.
    """
    store = SqliteStore.open(path)
    identity = store.identity
    store.close()
    number = numbered(link, name)
    if not number:
        PostgresStore.create(link, name, identity=identity, first=Commit(0, "copied"))
        number = numbered(link, name)
    link.run(lambda _: _replace(link, number, name, path, identity, progress))


def numbered(link: Link, name: str) -> int:
    """Return the number of the repository of a name, or 0."""
    rows = link.select("SELECT number FROM repositories WHERE name = $1", name)
    return rows[0][0] if rows else 0


def _replace(  # noqa: PLR0917 - a part of `load`
    link: Link, number: int, name: str, path: str, identity: bytes, progress: BytesDone | None
) -> None:
    link.take_time()
    for table in TABLES:
        if table != "gates":
            link.execute(f"DELETE FROM {table} WHERE repository = $1", number)  # noqa: S608 - ours
    file = File(connect(path), path)
    ((created,),) = file.select("SELECT created FROM repository")
    sql = "UPDATE repositories SET identity = $2, created = $3, checksum = $4 WHERE number = $1"
    link.execute(sql, number, identity, created, checksum(name, identity, created))
    try:
        file.connection.execute("BEGIN")
        _load(link, number, file, progress)
    except FAILURES as error:
        raise translation(error, path) from error
    finally:
        file.connection.close()


def _load(link: Link, number: int, file: File, progress: BytesDone | None) -> None:
    def copy(table: str, columns: str, types: str, rows: Iterable[Row]) -> None:
        sql = f"COPY {table} (repository, {columns}) FROM STDIN (FORMAT BINARY)"
        link.copy_in(sql, ((number, *row) for row in rows), ("int4", *types.split()))

    def select(sql: str) -> Iterator[Row]:
        return iter(file.connection.execute(sql))

    copy(
        "refs",
        "name, root, count, version",
        "text bytea int8 int8",
        select(
            "SELECT name, root, count, (SELECT count(*) FROM reflog WHERE reflog.name = refs.name)"
            " FROM refs"
        ),
    )
    copy(
        "reflog",
        "name, version, root, count, time, reason, token, checksum",
        "text int8 bytea int8 int8 text int8 int8",
        _entries(
            select(
                "SELECT name, row_number() OVER (PARTITION BY name ORDER BY id),"
                " root, count, time, reason FROM reflog"
            )
        ),
    )
    receipts = select("SELECT id, user, key, log, time, messages FROM receipts")
    copy(
        "receipts",
        'id, "user", key, log, time, messages, checksum',
        "int8 text text text int8 int8 int8",
        _receipts(receipts),
    )
    copy(
        "usage",
        '"user", messages, size, checksum',
        "text int8 int8 int8",
        (
            (text(user), messages, size, checksum(text(user)) + messages + size)
            for user, messages, size in select("SELECT user, messages, size FROM usage")
        ),
    )
    copy(
        "agreed",
        "peer, log, view, root, number, time",
        "text text bytea bytea int8 int8",
        select("SELECT peer, log, view, root, id, time FROM agreed"),
    )
    copy("retired", "root, time", "bytea int8", select("SELECT root, time FROM retired"))
    copy(
        "held_back",
        "peer, log, key, code, why",
        "text text bytea text text",
        (
            (peer, log, key, text(code), text(why))
            for peer, log, key, code, why in select(
                "SELECT peer, log, key, code, why FROM held_back"
            )
        ),
    )
    copy("lookup", "oid, time", "bytea int8", select("SELECT oid, time FROM lookup ORDER BY oid"))
    copy("looked_up", "log, root", "text bytea", select("SELECT log, root FROM looked_up"))
    copy(
        "nodes",
        "oid, data, seen",
        "bytea bytea int8",
        select("SELECT oid, data, seen FROM nodes ORDER BY oid"),
    )
    copy(
        "messages",
        "key, data, form, receipt, seen",
        "bytea bytea int2 int8 int8",
        _counted(_messages(file), progress),
    )


def _entries(rows: Iterable[Row]) -> Iterator[Row]:
    for name, version, root, count, time, reason in rows:
        values = (name, version, root, count, time, text(reason), 0)
        yield (*values, checksum(*values))


def _receipts(rows: Iterable[Row]) -> Iterator[Row]:
    for number, user, key, log, time, messages in rows:
        values = (number, text(user), text(key), text(log), time)
        yield (*values, messages, checksum(*values) + messages)


def _messages(file: File) -> Iterator[Row]:
    rows, expanded = Rows(), Dictionaries(file).expanded
    # Their dictionaries are asked for meanwhile, on the same connection.
    sql = "SELECT key, data, dictionary, receipt, seen FROM messages ORDER BY key"
    for key, data, dictionary, receipt, seen in file.connection.execute(sql):
        form, kept = rows.kept(expanded(data, dictionary))
        yield (key, kept, form, receipt, seen)
