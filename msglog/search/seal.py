"""What the file of a search index was when it was closed, written down beside it.

SQLite notices damage to its pages, but not bytes that are other ones within them: those would hide
messages from a search without a trace. So whoever is about to write breaks the seal, and the last
to close the file sets it anew. A file without one is taken as it is: it is in use, or its last user
was cut off.

Never look at a file that this process has open in SQLite: closing it would give up SQLite's locks.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress

SUFFIX = "-seal"

BYTES_LIMIT = 64 << 20
"""Up to this size a seal is a checksum; of larger files it is the time of their last change."""

_PART = 1 << 20
_IN_USE = ("-wal", "-journal")


def is_broken(path: str) -> bool:
    """Tell whether a file is sealed and is not what it was."""
    try:
        with open(path + SUFFIX, "rb") as file:
            sealed = file.read(100)
    except OSError:
        return False
    state = _state(path)
    return bool(sealed) and state is not None and sealed != state


def unseal(path: str) -> None:
    """Break the seal of a file that is to be changed."""
    with suppress(OSError):
        os.unlink(path + SUFFIX)


def seal(path: str) -> None:
    """Seal a file, unless it is sealed or still in use; harmless where that cannot be done."""
    if os.path.lexists(path + SUFFIX):
        return
    state = _state(path)
    if state is None:
        return
    with suppress(OSError):
        descriptor = os.open(
            path + SUFFIX, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(descriptor, state)
        finally:
            os.close(descriptor)


def _state(path: str) -> bytes | None:
    """Return what a file is; None if somebody is using it."""
    if _is_in_use(path):
        return None
    try:
        before = os.stat(path)
        state = b"%d " % before.st_size
        if before.st_size > BYTES_LIMIT:
            state += b"changed %d\n" % before.st_mtime_ns
        else:
            state += b"sum %08x\n" % _checksum(path)
        after = os.stat(path)
    except OSError:
        return None
    changed = (before.st_mtime_ns, before.st_ino) != (after.st_mtime_ns, after.st_ino)
    return None if changed or _is_in_use(path) else state


def _is_in_use(path: str) -> bool:
    return any(os.path.lexists(path + suffix) for suffix in _IN_USE)


def _checksum(path: str) -> int:
    checksum = 0
    with open(path, "rb", buffering=0) as file:
        while part := file.read(_PART):
            checksum = zlib.crc32(part, checksum)
    return checksum
