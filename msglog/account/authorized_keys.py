"""authorized_keys read as sshd reads it: which lines let somebody in, and to do what.

Follows `auth_check_authkeys_file`, `sshkey_read` and `sshauthopt_parse` of OpenSSH 9 and 10. Where
sshd looks deeper into a value than is done here (addresses, times, devices, the numbers of a key),
the line is taken to be in force: a check that errs must not overlook one.
"""

from __future__ import annotations

import base64
import binascii
import re

from msglog.account.publickey import fingerprint
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "rsa-sha2-256",
        "rsa-sha2-512",
        "ssh-dss",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-xmss@openssh.com",
        "ssh-ed25519-cert-v01@openssh.com",
        "ssh-rsa-cert-v01@openssh.com",
        "ssh-dss-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    }
)
"""What some sshd takes for a key at the beginning of a line; newer ones no longer know all."""

ENVIRONMENT_LIMIT = 1024
"""sshd skips a line that sets more variables."""

_SPACE = " \t"
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9_]+=", re.ASCII)
_C_SPACE = re.compile("[ \t\n\v\f\r]")
# A backslash takes a quotation mark after it along, and nothing else. Every text matches in one way
# only, so that there is nothing to go back to; possessive quantifiers, which would say the same,
# match wrongly in Python before 3.11.5.
_ESCAPE = r'\\(?:"|(?!"))'
_INSIDE = rf'[^"\\]*(?:{_ESCAPE}[^"\\]*)*'
_QUOTED = re.compile(f'"{_INSIDE}"')
_OPTIONS = re.compile(rf'(?:[^ \t"\\]|{_ESCAPE}|"{_INSIDE}")*')


class OptionsError(ValueError):
    """sshd does not understand the options of a line, and skips the line; says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the options in front of a key allow and demand; as it is made, without any.

    command: the forced command, or None for a shell or whatever the client asks.
    environment: "NAME=value" texts. tunnel: a device, or None.
    limits: names of options that only narrow access, such as "from", each once.
    """

    restrict: bool = False
    cert_authority: bool = False
    port_forwarding: bool = True
    agent_forwarding: bool = True
    x11_forwarding: bool = True
    pty: bool = True
    user_rc: bool = True
    command: str | None = None
    environment: tuple[str, ...] = ()
    tunnel: str | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that sshd takes: a key and what it may do.

    number: of the line, from 1. fingerprint: of the key in it. has_nul: something follows a NUL
    on the line, which sshd does not see.
    """

    number: int
    options: Options
    type: str
    blob: bytes
    comment: str
    has_nul: bool = False

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key as ssh-keygen shows it."""
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is neither empty nor a comment and that sshd skips; why says the reason."""

    number: int
    why: str


def parse_authorized_keys(data: bytes) -> list[Entry | Unreadable]:
    """Return what sshd sees in a file, line by line, without comments and empty lines."""
    found: list[Entry | Unreadable] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        parsed = parse_line(number, line)
        if parsed is not None:
            found.append(parsed)
    return found


def parse_line(number: int, line: bytes) -> Entry | Unreadable | None:
    """Return what sshd sees in one line, given without its newline; None for nothing."""
    visible, nul, _ = line.partition(b"\0")
    # One character a byte: sshd knows no encoding.
    text = visible.decode("latin-1").lstrip(_SPACE)
    if not text or text.startswith("#") or not text.strip("\r"):
        return None
    options = Options()
    key = _read_key(text)
    if key is None:
        end = _end_of_options(text)
        if end is None:
            return Unreadable(number, "a quotation mark is not closed")
        key = _read_key(text[end:].lstrip(_SPACE))
        if key is None:
            return Unreadable(number, "there is no key that sshd knows")
        try:
            options = parse_options(text[:end])
        except OptionsError as error:
            return Unreadable(number, str(error))
    name, blob, comment = key
    return Entry(number, options, name, blob, _as_text(comment.rstrip("\r")), bool(nul))


def parse_options(text: str) -> Options:
    """Return the options in text, which has one character a byte; raises OptionsError.

    Later options undo earlier ones, as in sshd: `restrict,pty` allows a terminal and
    `pty,restrict` does not.
    """
    options = Options()
    at = 0
    while at < len(text):
        flag = _FLAG.match(text, at)
        if flag is not None and not (flag["no"] and flag["name"].lower() in _NOT_NEGATED):
            options = _with_flag(options, flag["name"].lower(), allowed=not flag["no"])
            at = flag.end()
        else:
            valued = _VALUED.match(text, at)
            if valued is not None:
                value, at = _dequote(text, valued.end())
                options = _with_value(options, valued["name"].lower(), _as_text(value))
        if at < len(text) and text[at] != ",":
            raise OptionsError(
                f"it has an option that sshd does not know, at {text[at : at + 30]!r}"
            )
        # What follows the last comma may be nothing: in the file, a space comes next.
        at += 1
    return options


def _read_key(text: str) -> tuple[str, bytes, str] | None:
    """Return type, blob and comment if text begins with a key."""
    name, rest = _split(text)
    if name not in KEY_TYPES:
        return None
    encoded, comment = _split(rest)
    try:
        blob = base64.b64decode(_C_SPACE.sub("", encoded).encode("latin-1"), validate=True)
    except binascii.Error:
        return None
    size = int.from_bytes(blob[:4], "big")
    inner = blob[4 : 4 + size].decode("latin-1")
    if inner not in KEY_TYPES or _family(inner) != _family(name):
        return None
    return name, blob, comment


def _family(name: str) -> str:
    """Return the type under which sshd compares keys: all of RSA's names are one."""
    return "ssh-rsa" if name in ("rsa-sha2-256", "rsa-sha2-512") else name


def _split(text: str) -> tuple[str, str]:
    """Return the first word of text, and the rest from the next word on."""
    match = re.match(r"[^ \t]*", text)
    end = match.end() if match else 0
    return text[:end], text[end:].lstrip(_SPACE)


def _end_of_options(text: str) -> int | None:
    """Return where the options end: the first space outside quotation marks."""
    match = _OPTIONS.match(text)
    end = match.end() if match else 0
    return None if text.startswith('"', end) else end


def _dequote(text: str, at: int) -> tuple[str, int]:
    """Return the quoted value in text at a place, and the place after it."""
    if not text.startswith('"', at):
        raise OptionsError("a value is not in quotation marks")
    match = _QUOTED.match(text, at)
    if match is None:
        raise OptionsError("a quotation mark is not closed")
    return match[0][1:-1].replace('\\"', '"'), match.end()


_FLAGS: Mapping[str, str] = {
    "restrict": "restrict",
    "cert-authority": "cert_authority",
    "port-forwarding": "port_forwarding",
    "agent-forwarding": "agent_forwarding",
    "x11-forwarding": "x11_forwarding",
    "pty": "pty",
    "user-rc": "user_rc",
    "touch-required": "",
    "verify-required": "",
}
"""Options without value, each with the field of Options that it sets."""

_NOT_NEGATED = ("restrict", "cert-authority")
_VALUES = (
    "command",
    "principals",
    "from",
    "expiry-time",
    "environment",
    "permitopen",
    "permitlisten",
    "tunnel",
)
_FLAG = re.compile(rf"(?P<no>no-)?(?P<name>{'|'.join(_FLAGS)})", re.ASCII | re.IGNORECASE)
_VALUED = re.compile(rf"(?P<name>{'|'.join(_VALUES)})=", re.ASCII | re.IGNORECASE)
_ONCE = ("principals", "from")


def _with_flag(options: Options, name: str, *, allowed: bool) -> Options:
    if name == "restrict":
        return replace(
            options,
            restrict=True,
            port_forwarding=False,
            agent_forwarding=False,
            x11_forwarding=False,
            pty=False,
            user_rc=False,
        )
    if not _FLAGS[name]:
        return options
    changed: dict[str, Any] = {_FLAGS[name]: allowed}
    return replace(options, **changed)


def _with_value(options: Options, name: str, value: str) -> Options:
    if name == "command":
        if options.command is not None:
            raise OptionsError("it has two commands")
        return replace(options, command=value)
    if name == "environment":
        if _ENVIRONMENT_NAME.match(value) is None:
            raise OptionsError("it sets a variable whose name is none")
        if len(options.environment) > ENVIRONMENT_LIMIT:
            raise OptionsError("it sets too many variables")
        return replace(options, environment=(*options.environment, value))
    if name == "tunnel":
        return replace(options, tunnel=value)
    if name not in options.limits:
        return replace(options, limits=(*options.limits, name))
    if name in _ONCE:
        raise OptionsError(f"it says {name} twice")
    return options


def _as_text(text: str) -> str:
    """Return text of one character a byte as the UTF-8 that it most likely is."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")
