"""Private key files: which of them take the short way in."""

from __future__ import annotations

import base64
import binascii

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FIRST = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_LAST = b"-----END OPENSSH PRIVATE KEY-----"
_FILE_LIMIT = 1 << 16

_PLAIN_ED25519 = (
    b"openssh-key-v1\0"
    b"\0\0\0\4none"  # cipher
    b"\0\0\0\4none"  # key derivation
    b"\0\0\0\0"  # its options
    b"\0\0\0\1"  # one key
    b"\0\0\0\x33\0\0\0\x0bssh-ed25519"
)
"""How such a file begins, see OpenSSH's PROTOCOL.key."""


def is_plain_ed25519(path: Path) -> bool:
    """Return whether a file holds one Ed25519 key without passphrase or certificate.

    Such a key, the usual one, is read without what it takes to find out the type of any key.
    Raises OSError.
    """
    with path.open("rb") as file:
        text = file.read(_FILE_LIMIT)
    body = b"".join(text.partition(_FIRST)[2].partition(_LAST)[0].split())
    if not text.startswith(_FIRST):
        return False
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        return False
    if not data.startswith(_PLAIN_ED25519):
        return False
    return not path.with_name(f"{path.name}-cert.pub").exists()
