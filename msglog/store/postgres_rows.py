"""What rows of PostgreSQL hold in the place of values: compressed data, texts, checksums."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.compression import Dictionary
from msglog.digest import digest
from msglog.errors import IntegrityError
from msglog.message import OBJECT_BYTES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = 0
FRAME = 1
"""A frame of zstd that stands alone (docs/adr/0018-postgresql.md: why there is no dictionary)."""

COMPRESSED_FROM = 512
"""Shorter data gain too little."""

_LEVEL = 3
_WORTH = 7 / 8
_CHECKSUM_BYTES = 7
_NUL = "\0"
_SHOWN_NUL = "\u2400"


class Rows:
    """Turns messages into what their rows hold, and back."""

    def __init__(self) -> None:
        self._frames = Dictionary(b"")
        self._expand: Callable[[bytes], bytes] | None = None

    def kept(self, data: bytes) -> tuple[int, bytes]:
        """Return the form and the data of a row."""
        if len(data) >= COMPRESSED_FROM:
            frame = self._frames.compress(data, _LEVEL)
            if len(frame) <= _WORTH * len(data):
                return FRAME, frame
        return PLAIN, data

    def expanded(self, data: object, form: object) -> bytes:
        """Return a row's data as they were staged; what cannot be read any more is nothing."""
        if not isinstance(data, bytes):
            return b""
        if form == PLAIN:
            return data
        if form != FRAME:
            return b""
        if self._expand is None:
            self._expand = self._frames.expander(OBJECT_BYTES_LIMIT)
        try:
            return self._expand(data)
        except IntegrityError:
            return b""


def text(value: str) -> str:
    """Return a text as PostgreSQL can keep it, which knows neither NUL nor lone surrogates."""
    if _NUL in value:
        value = value.replace(_NUL, _SHOWN_NUL)
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def checksum(*values: object) -> int:
    """Return what is kept of a row to tell whether it has changed; numbers may be added to it.

    values: numbers, bytes and texts.
    """
    joined = b"\n".join(
        value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
        for value in values
    )
    return int.from_bytes(digest(joined)[:_CHECKSUM_BYTES], "big")
