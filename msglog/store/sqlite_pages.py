"""Reading the records of a SQLite file page by page, whatever is left of its trees.

By the file format of SQLite (https://www.sqlite.org/fileformat2.html). What comes may be damaged,
or old: whoever takes it must be able to tell. Only records that have a digest can be trusted so.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.store.sqlite_schema import PAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    Value: TypeAlias = "int | bytes | str | None"

_TABLE_LEAF = 0x0D
_INDEX_LEAF = 0x0A
_INDEX_INNER = 0x02
_HEADER_BYTES = 100
_RECORD_LIMIT = 32 << 20
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_FIRST_BLOB = 12
_ZERO, _ONE = 8, 9


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it lies in a page. number: the row's, or 0 in an index or a table without."""

    number: int
    values: Sequence[Value]


class _BrokenError(ValueError):
    """A cell or a record is not what it should be."""


def records(data: bytes) -> Iterator[Record]:
    """Yield the records that the leaves of a file have, and the inner pages of its indexes.

    data: the whole file.
    """
    pages = Pages(data)
    for number in range(1, len(data) // pages.size + 1):
        yield from pages.records(number)


class Pages:
    """The pages of a file. size: of each, as the file says, or else as msglog makes them."""

    def __init__(self, data: bytes) -> None:
        said = int.from_bytes(data[16:18], "big")
        said = 65536 if said == 1 else said
        fits = 512 <= said <= 65536 and not said & (said - 1)
        self.size = said if fits else PAGE_BYTES
        self._data = data
        self._usable = self.size - (data[20] if fits else 0)

    def _page(self, number: int) -> bytes:
        if not 0 < number <= len(self._data) // self.size:
            raise _BrokenError
        return self._data[(number - 1) * self.size : number * self.size]

    def records(self, number: int) -> Iterator[Record]:
        """Yield the records of one page; what is damaged in it is passed over."""
        page = self._page(number)
        start = _HEADER_BYTES if number == 1 else 0
        kind = page[start]
        if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER):
            return
        head = start + (12 if kind == _INDEX_INNER else 8)
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        for cell in range(min(count, (self.size - head) // 2)):
            at = int.from_bytes(page[head + 2 * cell : head + 2 * cell + 2], "big")
            try:
                yield self._record(page, at, kind)
            except (_BrokenError, IndexError, UnicodeDecodeError):
                continue

    def _record(self, page: bytes, at: int, kind: int) -> Record:
        if kind == _INDEX_INNER:
            at += 4
        size, at = _varint(page, at)
        number = 0
        if kind == _TABLE_LEAF:
            number, at = _varint(page, at)
        if not 0 < size <= _RECORD_LIMIT:
            raise _BrokenError
        local = self._local_bytes(size, in_table=kind == _TABLE_LEAF)
        payload = page[at : at + local]
        if len(payload) < local:
            raise _BrokenError
        if local < size:
            following = int.from_bytes(page[at + local : at + local + 4], "big")
            payload += self._overflow(following, size - local)
        return Record(number, _values(payload))

    def _local_bytes(self, size: int, *, in_table: bool) -> int:
        """Return how much of a record lies in its page itself."""
        usable = self._usable
        most = usable - 35 if in_table else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return size
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        return local if local <= most else least

    def _overflow(self, number: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            page = self._page(number)
            part = page[4 : 4 + min(size, self._usable - 4)]
            parts.append(part)
            size -= len(part)
            number = int.from_bytes(page[:4], "big")
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to nine bytes, and where it ends."""
    value = 0
    for position in range(at, at + 8):
        byte = data[position]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position + 1
    return value << 8 | data[at + 8], at + 9


def _values(payload: bytes) -> list[Value]:
    end, at = _varint(payload, 0)
    if end > len(payload):
        raise _BrokenError
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size = (kind - _FIRST_BLOB) // 2 if kind >= _FIRST_BLOB else 0
        if 0 < kind < len(_INTEGER_BYTES):
            size = _INTEGER_BYTES[kind]
        part = payload[at : at + size]
        if len(part) < size or kind in (7, 10, 11):  # no floats, and two that are reserved
            raise _BrokenError
        at += size
        if kind >= _FIRST_BLOB:
            values.append(part.decode() if kind & 1 else part)
        elif kind in (_ZERO, _ONE):
            values.append(kind - _ZERO)
        else:
            values.append(int.from_bytes(part, "big", signed=True) if kind else None)
    return values
