"""The dictionaries of a store in a SQLite file, by which rows of messages are expanded."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.message import OBJECT_BYTES_LIMIT
from msglog.objectid import object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msglog.compression import Dictionary
    from msglog.store.sqlite_link import Link

PLAIN = 0
"""In place of a dictionary's number: a row that was never compressed."""

LEFT_PLAIN = -1
"""A row whose compression did not pay."""


class Dictionaries:
    """Finds dictionaries by their numbers; what is damaged or missing expands to nothing.

    Nothing is no object's bytes: whoever checks ids, as every reader does, then names the row.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._expanders: dict[object, Callable[[bytes], bytes]] = {PLAIN: _same, LEFT_PLAIN: _same}

    def expanded(self, data: object, number: object) -> bytes:
        """Return a row's data as they were staged; number: of the dictionary, PLAIN, LEFT_PLAIN."""
        expand = self._expanders.get(number)
        if expand is None:
            expand = self._expanders[number] = self._expander(number)
        try:
            return expand(data) if isinstance(data, bytes) else b""
        except IntegrityError:
            return b""

    def _expander(self, number: object) -> Callable[[bytes], bytes]:
        """Return what expands rows that were compressed by a dictionary."""
        dictionary = self.find(number) if isinstance(number, int) else None
        return _nothing if dictionary is None else dictionary.expander(OBJECT_BYTES_LIMIT)

    def find(self, number: int) -> Dictionary | None:
        """Return a dictionary, or None if it is not there as it was put there."""
        from msglog.compression import Dictionary  # noqa: PLC0415 - where rows are compressed

        rows = self._link.select("SELECT digest, data FROM dictionaries WHERE id = ?", (number,))
        return Dictionary(rows[0][1]) if rows and _sound(*rows[0]) else None

    def newest(self) -> tuple[int, int]:
        """Return the number and the bytes of the dictionary that was made last; 0 for none."""
        rows = self._link.select(
            "SELECT id, length(data) FROM dictionaries ORDER BY id DESC LIMIT 1"
        )
        return next(((int(number), int(size)) for number, size in rows), (0, 0))

    def add(self, data: bytes) -> int:
        """Keep a dictionary, and return its number; in a transaction of the caller's."""
        cursor = self._link.connection.execute(
            "INSERT INTO dictionaries (digest, data) VALUES (?, ?)", (object_id(data), data)
        )
        return cursor.lastrowid or 0

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with each dictionary that is damaged."""
        rows = self._link.select("SELECT id, digest, data FROM dictionaries ORDER BY id")
        for number, digest, data in rows:
            if not _sound(digest, data):
                yield f"dictionary {number}: its bytes have another SHA-256"
        used = self._link.select(
            "SELECT DISTINCT dictionary FROM messages WHERE dictionary NOT IN (?, ?)"
            " AND dictionary NOT IN (SELECT id FROM dictionaries)",
            (PLAIN, LEFT_PLAIN),
        )
        for (number,) in used:
            yield f"dictionary {str(number)[:20]}: it is missing"


def _same(data: bytes) -> bytes:
    return data


def _nothing(_: bytes) -> bytes:
    return b""


def _sound(digest: object, data: object) -> bool:
    return isinstance(data, bytes) and digest == object_id(data)
