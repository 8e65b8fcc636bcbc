"""Messages on their way: all are checked before the first is put into a log, on disk."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile

from msglog.annotation import TYPE_CHECKING
from msglog.key import KEY_BYTES, Key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

_MEMORY_BYTES = 4 << 20
_SIZE_BYTES = 4


class Spool:
    """Keeps messages in the order in which they come; beyond some MiB in a file without a name."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_MEMORY_BYTES, prefix="msglog-import-")  # noqa: SIM115 - `__exit__` closes it
        self.count = 0

    def put(self, key: Key, data: bytes) -> None:
        """Keep a message."""
        self._file.write(key + len(data).to_bytes(_SIZE_BYTES, "big") + data)
        self.count += 1

    def messages(self) -> Iterator[tuple[Key, bytes]]:
        """Yield what was kept, from the beginning."""
        self._file.seek(0)
        while head := self._file.read(KEY_BYTES + _SIZE_BYTES):
            size = int.from_bytes(head[KEY_BYTES:], "big")
            yield Key(head[:KEY_BYTES]), self._file.read(size)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Forget all."""
        self._file.close()
