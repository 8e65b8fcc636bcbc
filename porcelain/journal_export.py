"""The Journal Export Format, as `journalctl -o export` prints it: entries of fields, to the byte.

Source: https://systemd.io/JOURNAL_EXPORT_FORMATS/. An entry is lines, and an empty line ends it. A
field is `NAME=text`; or, where the value may have line ends or is no text, a line with the name
alone, the size in 8 bytes, little end first, the value and a line end.
"""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from porcelain.import_source import LINE_BYTES_LIMIT, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import IO, TypeAlias

    from porcelain.import_source import Reading

    Fields: TypeAlias = dict[str, str | list[str]]
    """Values by the names of fields, each in its order where a field has several."""

_SIZE_BYTES = 8
_READ_AT_ONCE = 1 << 20
_NAME = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}", re.ASCII)
"""What journald takes for a name, and what it makes itself begins with an underscore."""


class _CutOffError(IntegrityError):
    """The file ends within an entry."""


def is_exported(first: bytes) -> bool:
    """Tell whether a first line is one of an entry in this form."""
    return _NAME.fullmatch(first.rstrip(b"\n").partition(b"=")[0]) is not None


def entries(
    file: IO[bytes], first: bytes, reading: Reading, *, wanted: Collection[str]
) -> Iterator[tuple[int, Fields | str]]:
    """Yield the entries of a file, counted from 1: the wanted fields, or else what is wrong.

    first: what `readline(LINE_BYTES_LIMIT + 1)` gave before, or b"" at the very end. A bad entry
    ends where the next empty line is. Memory: what is wanted of one entry, at most
    LINE_BYTES_LIMIT.
    """
    reader = _Reader(file, first, reading, wanted)
    number = 0
    while reader.has_more():
        number += 1
        try:
            yield number, reader.entry()
        except _CutOffError as error:
            yield number, error.what


class _Reader:
    """A file of entries that is being read."""

    def __init__(
        self, file: IO[bytes], first: bytes, reading: Reading, wanted: Collection[str]
    ) -> None:
        self._file = file
        self._line = first
        self._reading = reading
        self._wanted = wanted
        reading.size += len(first)

    def has_more(self) -> bool:
        """Pass over empty lines, and tell whether an entry follows."""
        while self._line == b"\n":
            self._next()
        return bool(self._line)

    def entry(self) -> Fields | str:
        """Return the fields of the entry that begins here, or what is wrong with it."""
        fields: Fields = {}
        size, why, is_lost = 0, "", False
        while self._line != b"\n":
            line = self._line
            if len(line) > LINE_BYTES_LIMIT:
                self._pass_over_line()
                why = why or "it is too long"
                continue
            if not line.endswith(b"\n"):
                self._line = b""
                raise _CutOffError("it is cut off")
            name, equals, value = line[:-1].partition(b"=")
            if not is_lost and not _NAME.fullmatch(name):
                why, is_lost = f"{text_of(name)[:80]!r} is no name of a field", True
            if not is_lost and not equals:
                data = self._value(keep=name.decode() in self._wanted)
                is_lost = data is None
                why = why or ("a value is not as long as it says" if is_lost else "")
                value = data or b""
            self._next()
            if not is_lost and name.decode() in self._wanted:
                size += len(value)
                _put(fields, name.decode(), value)
            if size > LINE_BYTES_LIMIT:
                fields.clear()
                why = why or "it is too long"
        self._next()
        return why or fields

    def _next(self) -> None:
        self._line = self._file.readline(LINE_BYTES_LIMIT + 1)
        self._reading.size += len(self._line)

    def _pass_over_line(self) -> None:
        while self._line and not self._line.endswith(b"\n"):
            self._next()
        if self._line:
            self._next()

    def _value(self, *, keep: bool) -> bytes | None:
        """Return a value that stands after its size; None if no line end follows it.

        keep: whether it is wanted. Of one that is too long no more than that is kept.
        """
        left = int.from_bytes(self._read(_SIZE_BYTES), "little")
        parts: list[bytes] = []
        kept = 0
        while left:
            part = self._read(min(left, _READ_AT_ONCE))
            left -= len(part)
            if keep and kept <= LINE_BYTES_LIMIT:
                parts.append(part)
                kept += len(part)
        return b"".join(parts) if self._read(1) == b"\n" else None

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._reading.size += len(data)
        if len(data) < size:
            self._line = b""
            raise _CutOffError("it is cut off")
        return data


def _put(fields: Fields, name: str, value: bytes) -> None:
    """Add a value to those of a field, as text; bytes that are not UTF-8 are written as escapes."""
    text = text_of(value)
    before = fields.get(name)
    if before is None:
        fields[name] = text
    elif isinstance(before, list):
        before.append(text)
    else:
        fields[name] = [before, text]
