"""The proof of concept's SQLite file, `db_msg(id, uuid, message, time)`, as messages."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, LocalError, UsageError
from msglog.message import BODY_BYTES_LIMIT, Message
from porcelain.import_source import bad_row, good_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from pathlib import Path

    from msglog.errors import MsglogError
    from porcelain.import_source import Row

MAGIC = b"SQLite format 3\0"
BUSY_SECONDS = 5.0
COLUMNS = ("id", "uuid", "message", "time")

_FAILURES = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""What sqlite3 raises for a damaged file: the last one for a size in it that nobody has."""

_SHORT_BYTES = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UUID = re.compile(rb"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
_FRACTION = re.compile(r"\.(\d{1,6})")
# A value that is far too long is not read at all; what is a little too long is refused later.
_QUERY = f"""
SELECT typeof(uuid), CASE WHEN length(CAST(uuid AS BLOB)) <= {_SHORT_BYTES} THEN uuid END,
    typeof(message),
    CASE WHEN length(CAST(message AS BLOB)) <= {2 * BODY_BYTES_LIMIT} THEN message END,
    typeof(time), CASE WHEN length(CAST(time AS BLOB)) <= {_SHORT_BYTES} THEN time END
FROM db_msg ORDER BY id
"""  # noqa: S608 - made of our own numbers


class ForeignDatabaseError(UsageError):
    """A SQLite file is not one of the proof of concept."""


class DamagedDatabaseError(IntegrityError):
    """SQLite says that the file is not sound."""


class UnreadableDatabaseError(LocalError):
    """SQLite cannot read the file on this machine."""


class PocDatabase:
    """One file, opened for reading alone; name: what to call it in errors.

    zone: in which its times are, which say none themselves.
    """

    def __init__(self, path: Path, name: str, *, author: str, zone: tzinfo) -> None:
        self._name = name
        self._author = author
        self._zone = zone
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS
            )
        except sqlite3.Error as error:
            raise self._translated(error) from error
        try:
            self._prepare()
        except _FAILURES as error:
            self.close()
            raise self._translated(error) from error
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Make the connection safe for a file from anywhere, and check that it is the right one."""
        self._connection.text_factory = bytes
        for setting in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
            self._connection.execute(f"PRAGMA {setting}")
        # Views and virtual tables run what their file's author wrote: only a plain table is read.
        made = self._connection.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'db_msg'"
        ).fetchone()
        if made is None or made[0] is None or b"VIRTUAL" in made[0][:32].upper().split():
            raise ForeignDatabaseError(
                f"{self._name} is not a file of the proof of concept", why="no table db_msg"
            )
        columns = {
            row[1].decode("utf-8", "replace")
            for row in self._connection.execute("PRAGMA table_info(db_msg)")
        }
        missing = [column for column in COLUMNS if column not in columns]
        if missing:
            raise ForeignDatabaseError(
                f"{self._name} is not a file of the proof of concept",
                why=f"db_msg has no column {missing[0]}",
            )

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order of their column id, numbered from 1."""
        try:
            for number, values in enumerate(self._connection.execute(_QUERY), 1):
                try:
                    message = self._message(*values)
                except ValueError as error:
                    yield bad_row(number, str(error))
                    continue
                yield good_row(number, message)
        except _FAILURES as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _message(
        self,
        *values: str | bytes | float | None,
    ) -> Message:
        """Return the message of a row; raises ValueError with the reason if there is none."""
        uuid_type, uuid, body_type, body, time_type, time = values
        if body_type != b"text":
            raise ValueError("message is not a text")
        if not isinstance(body, bytes):
            raise ValueError("message is too long")  # noqa: TRY004 - a reason, not a type
        if time_type != b"text" or not isinstance(time, bytes):
            raise ValueError("time is not a text like 2021-10-01 12:16:07.588528")
        moment, offset = _parse_time(time, self._zone)
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise ValueError("message is not UTF-8") from error
        return Message(
            uuid=_parse_uuid(uuid_type, uuid),
            time=moment,
            offset=offset,
            author=self._author,
            body=text,
        )

    def _translated(self, error: Exception) -> MsglogError:
        if isinstance(error, UnicodeDecodeError):
            # SQLite quotes a damaged schema in its error, and sqlite3 takes that for UTF-8.
            return DamagedDatabaseError(f"{self._name} is damaged", why="its schema is not text")
        if isinstance(error, MemoryError):
            return DamagedDatabaseError(f"{self._name} is damaged", why="it asks for all memory")
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        why = " ".join(str(error).split())  # a damaged schema is quoted with its line ends
        if code == sqlite3.SQLITE_NOTADB:
            return ForeignDatabaseError(f"{self._name} is not a SQLite file")
        if code == sqlite3.SQLITE_CORRUPT:
            return DamagedDatabaseError(f"{self._name} is damaged", why=why)
        return UnreadableDatabaseError(f"cannot read {self._name}", why=why)


def _parse_uuid(kind: object, value: object) -> bytes:
    if kind == b"blob" and isinstance(value, bytes) and len(value) == 16:
        return value
    if kind == b"text" and isinstance(value, bytes) and _UUID.fullmatch(value) is not None:
        return bytes.fromhex(value.replace(b"-", b"").decode())
    raise ValueError("uuid is not 32 hex digits, with or without dashes, nor 16 bytes")


def _parse_time(value: bytes, zone: tzinfo) -> tuple[int, int]:
    """Return microseconds since 1970 UTC, and minutes east of UTC."""
    text = value.decode("ascii", "replace")
    if _TIME.fullmatch(text) is None:
        raise ValueError("time is not a text like 2021-10-01 12:16:07.588528")
    padded = _FRACTION.sub(lambda match: "." + match[1].ljust(6, "0"), text)
    try:
        moment = datetime.fromisoformat(padded)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        since = moment - _EPOCH
        east = moment.utcoffset()
    except (ValueError, OverflowError) as error:
        raise ValueError("there is no such time") from error
    return since // timedelta(microseconds=1), (east or timedelta()) // timedelta(minutes=1)
