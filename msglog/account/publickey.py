"""OpenSSH public keys: parsed whole and strictly, judged by policy, named by their fingerprint.

Written here because this only has to read keys, never to use them, and has to read them more
narrowly than libraries do: docs/adr/0006-server-account.md says what others take.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from msglog.account.curve import CURVES
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msglog.account.curve import Curve

LINE_BYTES = 16 * 1024
"""A line with an RSA key of 16384 bits takes under 3 KiB."""

FILE_KEYS = 64
"""A file, or the output of `ssh-add -L`, holds at most so many keys."""

FILE_BYTES = 256 * 1024
COMMENT_CHARACTERS = 256
RSA_LEAST_BITS = 3072
RSA_MOST_BITS = 16384
APPLICATION_BYTES = 256

_SPACE = " \t"
_ED25519_BYTES = 32
_UNCOMPRESSED = 4


class PublicKeyError(UsageError):
    """A line is not an OpenSSH public key."""


class PublicKeyRefusedError(RefusedError):
    """A key is of a type or size that is not taken."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that is well formed and of a type and size that is taken.

    type: as it stands at the beginning of a line, such as "ssh-ed25519".
    blob: the key in the wire format of RFC 4253, which names the type again.
    comment: printable text on one line, perhaps empty.
    """

    type: str
    blob: bytes
    comment: str

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and 43 characters, as ssh-keygen shows it."""
        return fingerprint(self.blob)

    @property
    def is_one_line(self) -> bool:
        """Tell whether `line` is what it should be, whatever the key was put together from."""
        name = self.type.encode("utf-8", "surrogatepass")
        inside = self.blob.startswith(len(name).to_bytes(4, "big") + name)
        return inside and self.type in _READERS and self.comment.isprintable()

    @property
    def line(self) -> str:
        """The key as a line of authorized_keys without options, and without newline."""
        text = f"{self.type} {base64.b64encode(self.blob).decode('ascii')}"
        return f"{text} {self.comment}" if self.comment else text


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a key's blob as ssh-keygen shows it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii")
    return f"SHA256:{digest.rstrip('=')}"


def parse_public_key(line: str) -> PublicKey:
    """Return the key on a line like those of a .pub file.

    Raises PublicKeyError for what is not exactly a type, a blob of that type and perhaps a
    comment, and PublicKeyRefusedError for a type or size that is not taken.
    """
    if len(line) > LINE_BYTES:
        raise PublicKeyError("this is not a public key", why="the line is too long")
    if not line.replace("\t", " ").isprintable():
        raise PublicKeyError(
            "this is not a public key", why="it has control or invisible characters"
        )
    words = line.strip(_SPACE).replace("\t", " ").split(" ", 1)
    name = words[0]
    if name not in _READERS:
        raise _wrong_type(name, line)
    rest = words[1].strip(" ") if len(words) > 1 else ""
    text, _, comment = rest.partition(" ")
    comment = comment.strip(" ")
    if len(comment) > COMMENT_CHARACTERS:
        raise PublicKeyError(
            "the comment of the key is too long", why=f"at most {COMMENT_CHARACTERS} characters"
        )
    blob = _decode(text)
    check_blob(name, blob)
    return PublicKey(name, blob, comment)


def parse_public_keys(data: bytes) -> list[PublicKey]:
    """Return the keys of a .pub file, or of the output of `ssh-add -L`: one a line, at least one.

    Empty lines and lines that begin with `#` are skipped; the lines may end in CR LF. Raises
    PublicKeyError with the number of the line, PublicKeyRefusedError likewise.
    """
    if len(data) > FILE_BYTES:
        raise PublicKeyError("this is not a file of public keys", why="it is too large")
    keys: list[PublicKey] = []
    for number, raw in enumerate(data.split(b"\n"), start=1):
        stripped = raw.removesuffix(b"\r")
        if not stripped.strip(b" \t") or stripped.lstrip(b" \t").startswith(b"#"):
            continue
        try:
            key = parse_public_key(stripped.decode("utf-8"))
        except UnicodeDecodeError:
            raise PublicKeyError(f"line {number} is not a public key", why="not UTF-8") from None
        except (PublicKeyError, PublicKeyRefusedError) as error:
            raise type(error)(
                f"line {number}: {error.what}", why=error.why, hint=error.hint
            ) from None
        if key.blob not in {other.blob for other in keys}:
            keys.append(key)
        if len(keys) > FILE_KEYS:
            raise PublicKeyError("there are too many keys at once", why=f"at most {FILE_KEYS}")
    if not keys:
        raise PublicKeyError("there is no public key", hint="Give a .pub file, one key a line.")
    return keys


def rsa_bits(blob: bytes) -> int | None:
    """Return the size of an RSA key in bits; None for what is no RSA key, or a damaged one."""
    reader = _Reader(blob)
    try:
        if reader.string() != b"ssh-rsa":
            return None
        reader.integer()
        return reader.integer().bit_length()
    except PublicKeyError:
        return None


def check_blob(name: str, blob: bytes) -> None:
    """Check that blob is, from its first byte to its last, a key of the type name.

    Raises PublicKeyError, and PublicKeyRefusedError for a size that is not taken.
    """
    reader = _Reader(blob)
    inner = reader.string()
    if inner != name.encode("ascii"):
        shown = inner[:40].decode("ascii", "replace")
        raise PublicKeyError(
            "the key's type does not match its contents", why=f"{name} outside, {shown!r} inside"
        )
    _READERS[name](reader)
    if reader.rest:
        raise PublicKeyError("the key is damaged", why="something follows it")


def _decode(text: str) -> bytes:
    try:
        blob = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise PublicKeyError("the key is damaged", why="its contents are not base64") from None
    if base64.b64encode(blob).decode("ascii") != text:
        raise PublicKeyError("the key is damaged", why="its base64 is not the usual form")
    return blob


def _wrong_type(name: str, line: str) -> PublicKeyError | PublicKeyRefusedError:
    if "-cert-v" in name and "=" not in name and "," not in name:
        return PublicKeyRefusedError(
            "certificates are not taken as keys", hint="Give the public key itself."
        )
    if name == "ssh-dss":
        return PublicKeyRefusedError("DSA keys are not taken", hint="Make an Ed25519 key.")
    if line.startswith("-----BEGIN") or "PRIVATE KEY" in line:
        return PublicKeyError(
            "this is not an OpenSSH public key",
            why="it looks like a private key or a PEM file",
            hint="Give the .pub file, and keep the private key to yourself.",
        )
    if any(known in line for known in _READERS):
        return PublicKeyError(
            "options in front of a key are not taken",
            why=f"the line begins with {name[:40]!r}",
            hint="Give the type, the key and the comment only.",
        )
    return PublicKeyError(
        "this is not an OpenSSH public key", why=f"{name[:40]!r} is no type of key that is taken"
    )


class _Reader:
    """Takes strings and integers of the SSH wire format off a blob."""

    def __init__(self, blob: bytes) -> None:
        self.rest = blob

    def string(self) -> bytes:
        """Take a string: four bytes of length, big-endian, and as many bytes."""
        size = int.from_bytes(self.rest[:4], "big")
        taken = self.rest[4 : 4 + size]
        if len(self.rest) < 4 or len(taken) != size:
            raise PublicKeyError("the key is damaged", why="it is cut short")
        self.rest = self.rest[4 + size :]
        return taken

    def integer(self) -> int:
        """Take a positive integer in its only form: two's complement, no superfluous byte."""
        raw = self.string()
        number = int.from_bytes(raw, "big", signed=True)
        if number <= 0 or len(raw) != number.bit_length() // 8 + 1:
            raise PublicKeyError("the key is damaged", why="a number in it is not well formed")
        return number


def _read_rsa(reader: _Reader) -> None:
    exponent = reader.integer()
    modulus = reader.integer()
    bits = modulus.bit_length()
    if not RSA_LEAST_BITS <= bits <= RSA_MOST_BITS:
        raise PublicKeyRefusedError(
            f"RSA keys of {bits} bits are not taken",
            why=f"{RSA_LEAST_BITS} to {RSA_MOST_BITS} bits",
            hint="Make an Ed25519 key.",
        )
    if exponent < 3 or exponent % 2 == 0 or modulus % 2 == 0 or exponent >= modulus:
        raise PublicKeyError("the key is damaged", why="its numbers cannot be an RSA key's")


def _read_ed25519(reader: _Reader) -> None:
    if len(reader.string()) != _ED25519_BYTES:
        raise PublicKeyError("the key is damaged", why="an Ed25519 key has 32 bytes")


def _read_ecdsa(curve: Curve) -> Callable[[_Reader], None]:
    def read(reader: _Reader) -> None:
        name = reader.string()
        point = reader.string()
        if name != curve.name.encode("ascii"):
            raise PublicKeyError("the key's curve does not match its type")
        size = curve.size
        if len(point) != 1 + 2 * size or point[0] != _UNCOMPRESSED:
            raise PublicKeyError("the key is damaged", why="its point is not well formed")
        x = int.from_bytes(point[1 : 1 + size], "big")
        y = int.from_bytes(point[1 + size :], "big")
        if not curve.contains(x, y):
            raise PublicKeyError("the key is damaged", why="its point is not on the curve")

    return read


def _with_application(read: Callable[[_Reader], None]) -> Callable[[_Reader], None]:
    def read_both(reader: _Reader) -> None:
        read(reader)
        application = reader.string()
        if not application or len(application) > APPLICATION_BYTES or not application.isascii():
            raise PublicKeyError("the key is damaged", why="its application is not well formed")

    return read_both


_NISTP256, _NISTP384, _NISTP521 = CURVES

_READERS: Mapping[str, Callable[[_Reader], None]] = {
    "ssh-ed25519": _read_ed25519,
    "ssh-rsa": _read_rsa,
    "ecdsa-sha2-nistp256": _read_ecdsa(_NISTP256),
    "ecdsa-sha2-nistp384": _read_ecdsa(_NISTP384),
    "ecdsa-sha2-nistp521": _read_ecdsa(_NISTP521),
    "sk-ssh-ed25519@openssh.com": _with_application(_read_ed25519),
    "sk-ecdsa-sha2-nistp256@openssh.com": _with_application(_read_ecdsa(_NISTP256)),
}
"""The types that are taken, each with what reads its blob after the name of the type."""
