"""SHA-256, by the interpreter's own code where there is little to hash and by OpenSSL's otherwise.

OpenSSL takes 0.5 us for a short message, against 1.1, but 2 ms to load: more than all digests of a
command that adds one message.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import sha256 as _own
    from typing import Protocol

    class Hash(Protocol):
        """What a hash function returns."""

        def digest(self) -> bytes:
            """Return the digest: 32 bytes."""

    Function = Callable[[bytes], Hash]
else:
    try:
        from _sha2 import sha256 as _own  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256 as _own
        except ImportError:  # an interpreter without one
            from hashlib import sha256 as _own

_MANY = 64


class _Few:
    """Hashes the first objects of a process itself, and gives way to OpenSSL after that."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MANY

    def __call__(self, data: bytes) -> Hash:
        """Return the hash of data."""
        self._left -= 1
        if not self._left:
            _Digest.function = sha256_for(_MANY)
        return _own(data)


class _Digest:
    """The function in use."""

    function: Function = _Few()


def digest(data: bytes) -> bytes:
    """Return the SHA-256 of data: 32 bytes."""
    return _Digest.function(data).digest()


def sha256_for(count: int) -> Function:
    """Return the hash function that is the quickest for so many objects."""
    if count < _MANY:
        return _own
    from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL

    return sha256
