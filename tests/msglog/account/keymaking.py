"""Public keys for tests, made of made-up numbers: nobody has private keys to them."""

import base64
import struct

from msglog.account.curve import CURVES
from msglog.account.publickey import PublicKey

# The base points, which are sure to lie on their curves. Source: SP 800-186.
_BASE_POINTS = {
    "nistp256": (
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ),
    "nistp384": (
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
        "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
    ),
    "nistp521": (
        "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"
        "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650"
    ),
}


def string(data: bytes) -> bytes:
    """A string of the SSH wire format."""
    return struct.pack(">I", len(data)) + data


def integer(number: int) -> bytes:
    """A positive integer of the SSH wire format."""
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def ed25519(number: int = 1, *, size: int = 32) -> bytes:
    return string(b"ssh-ed25519") + string(bytes([number % 256]) * size)


def rsa(bits: int = 3072, *, exponent: int = 65537, name: bytes = b"ssh-rsa") -> bytes:
    return string(name) + integer(exponent) + integer((1 << (bits - 1)) + 1)


def ecdsa(curve: str = "nistp256", *, point: bytes | None = None) -> bytes:
    name = f"ecdsa-sha2-{curve}".encode()
    return string(name) + string(curve.encode()) + string(point or base_point(curve))


def base_point(curve: str) -> bytes:
    return b"\x04" + bytes.fromhex(_BASE_POINTS[curve])


def sk_ed25519(application: bytes = b"ssh:") -> bytes:
    return string(b"sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string(application)


def sk_ecdsa() -> bytes:
    return b"".join(
        string(part)
        for part in (
            b"sk-ecdsa-sha2-nistp256@openssh.com",
            b"nistp256",
            base_point("nistp256"),
            b"ssh:",
        )
    )


def line(blob: bytes, comment: str = "", *, name: str | None = None) -> str:
    """The line of a .pub file for a blob, without newline."""
    size = int.from_bytes(blob[:4], "big")
    shown = blob[4 : 4 + size].decode() if name is None else name
    text = f"{shown} {base64.b64encode(blob).decode()}"
    return f"{text} {comment}" if comment else text


def key(number: int = 1, comment: str = "") -> PublicKey:
    """A key for a user."""
    return PublicKey("ssh-ed25519", ed25519(number), comment)


ALL_BLOBS = (
    ed25519(),
    rsa(),
    *(ecdsa(curve.name) for curve in CURVES),
    sk_ed25519(),
    sk_ecdsa(),
)
