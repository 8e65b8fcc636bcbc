"""SSH certificates of users, read as far as whom they are for: their principals.

sshd has checked all else by the time it asks: that a trusted key has signed the certificate, what
it is for, and when. Source: PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import base64
import binascii

from msglog.account.publickey import PublicKeyError
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_CHARACTERS = 64 * 1024
"""As base64; sshd takes up to 256 principals."""

_USER = 1
_KEY_STRINGS: Mapping[bytes, int] = {
    b"ssh-ed25519-cert-v01@openssh.com": 1,
    b"ssh-rsa-cert-v01@openssh.com": 2,
    b"ecdsa-sha2-nistp256-cert-v01@openssh.com": 2,
    b"ecdsa-sha2-nistp384-cert-v01@openssh.com": 2,
    b"ecdsa-sha2-nistp521-cert-v01@openssh.com": 2,
    b"sk-ssh-ed25519-cert-v01@openssh.com": 2,
    b"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com": 3,
}
"""How many strings the public key takes between the nonce and the serial number."""


class CertificateError(PublicKeyError):
    """A text is not a certificate, or not one for users."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whom a certificate is for, in its order. serial: as its signer numbered it."""

    serial: int
    identity: str
    principals: tuple[str, ...]


def parse_certificate(text: str) -> Certificate:
    """Return what a certificate says, given in base64 as sshd does; raises CertificateError."""
    reader = _Reader(_decode(text))
    kind = reader.string()
    if kind not in _KEY_STRINGS:
        raise CertificateError(
            "this is not a certificate", why=f"{kind[:50]!r} is no type of one that is taken"
        )
    for _ in range(1 + _KEY_STRINGS[kind]):
        reader.string()
    serial = reader.integer(8)
    if reader.integer(4) != _USER:
        raise CertificateError("this certificate is not for users")
    identity = _as_text(reader.string())
    names = _Reader(reader.string())
    principals: list[str] = []
    while names.rest:
        principals.append(_as_text(names.string()))
    return Certificate(serial, identity, tuple(principals))


def _decode(text: str) -> bytes:
    try:
        if len(text) > TEXT_CHARACTERS:
            raise CertificateError("this is not a certificate", why="it is too long")
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise CertificateError("this is not a certificate", why="it is not base64") from None


def _as_text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class _Reader:
    """Takes strings and integers of the SSH wire format off some bytes."""

    rest: bytes

    def string(self) -> bytes:
        size = self.integer(4)
        return self._take(size)

    def integer(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _take(self, size: int) -> bytes:
        taken, self.rest = self.rest[:size], self.rest[size:]
        if len(taken) != size:
            raise CertificateError("this is not a certificate", why="it is cut short")
        return taken
