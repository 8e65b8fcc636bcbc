"""The known_hosts files of OpenSSH: which host keys are trusted, which are revoked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from fnmatch import fnmatchcase

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.enumeration import Enum

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FILE_LIMIT = 16 << 20
"""The longest known_hosts file that is read, in bytes."""


class Verdict(Enum):
    """What the known_hosts files say of a host's key."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class HostKey:
    """One line of a known_hosts file that speaks of the host in question.

    kind: the key's type, such as "ssh-ed25519"; blob: the key as SSH sends it.
    marker: "", "@revoked" or "@cert-authority". place: the file and line, for messages.
    """

    kind: str
    blob: bytes
    marker: str
    place: str


def host_name(host: str, port: int) -> str:
    """Return the name under which known_hosts lists a host: in brackets off the usual port."""
    return host if port == 22 else f"[{host}]:{port}"


def fingerprint(blob: bytes) -> str:
    """Return a key's fingerprint as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def read_host_keys(paths: Iterable[Path], name: str) -> list[HostKey]:
    """Return the lines of the files that match a host's name; files that are missing are empty."""
    found: list[HostKey] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                text = file.read(FILE_LIMIT).decode("utf-8", "replace")
        except OSError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            key = _parse_line(line, name.lower(), f"{path}:{number}")
            if key is not None:
                found.append(key)
    return found


def judge(keys: Sequence[HostKey], blob: bytes) -> tuple[Verdict, HostKey | None]:
    """Return what the lines of a host say of the key that it shows, and the line that says it."""
    for key in keys:
        if key.marker == "@revoked" and key.blob == blob:
            return Verdict.REVOKED, key
    plain = [key for key in keys if not key.marker]
    for key in plain:
        if key.blob == blob:
            return Verdict.KNOWN, key
    if plain:
        return Verdict.CHANGED, plain[0]
    return Verdict.UNKNOWN, None


def append_host_key(path: Path, name: str, kind: str, blob: bytes, *, hashed: bool) -> None:
    """Add a host's key to a known_hosts file, which is made where it is missing.

    hashed: write the name's salted digest rather than the name, as HashKnownHosts asks.
    One write at the end of the file, so that two at once do not tear each other's lines.
    """
    if hashed:
        salt = os.urandom(20)
        digest = hmac.digest(salt, name.encode(), "sha1")
        name = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
    line = f"{name} {kind} {base64.b64encode(blob).decode()}\n".encode()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _parse_line(line: str, name: str, place: str) -> HostKey | None:
    fields = line.split()
    marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
    if len(fields) < 3 or fields[0].startswith("#") or not _matches(fields[0], name):
        return None
    try:
        blob = base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return HostKey(fields[1], blob, marker, place)


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        return _matches_hash(patterns, name)
    matched = False
    for pattern in patterns.lower().split(","):
        if pattern.startswith("!"):
            if fnmatchcase(name, _brackets(pattern[1:])):
                return False
        elif fnmatchcase(name, _brackets(pattern)):
            matched = True
    return matched


def _matches_hash(pattern: str, name: str) -> bool:
    parts = pattern.split("|")
    if len(parts) != 4:
        return False
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _brackets(pattern: str) -> str:
    """Keep fnmatch from reading `[host]:port` as a set of letters: OpenSSH knows * and ? alone."""
    return pattern.replace("[", "[[]")
