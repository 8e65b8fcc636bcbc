"""What ssh_config says of one host, and whether it asks for more than paramiko can do.

paramiko has a parser of its own, but that one knows no Include, cannot tell which keywords it met,
and costs paramiko's import (over 100 ms) before a subprocess of ssh can be chosen instead. Here
whatever is not understood for certain is left to OpenSSH's client: see `HostConfig.openssh_reason`.
"""

from __future__ import annotations

import glob
import re
import shlex
import socket
from fnmatch import fnmatchcase
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from plumbing.transport.settings import SYSTEM_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INCLUDE_DEPTH = 16
FILE_LIMIT = 1 << 20


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_USED = _words(
    "hostname user port identityfile identitiesonly identityagent userknownhostsfile"
    " globalknownhostsfile connecttimeout hashknownhosts addressfamily"
)

_LISTS = frozenset({"identityfile"})
"""Keywords whose values add up; of the others the first value counts."""

_HARMLESS = _words(
    "addkeystoagent batchmode challengeresponseauthentication channeltimeout checkhostip"
    " clearallforwardings compression compressionlevel connectionattempts controlmaster"
    " controlpersist dynamicforward enableescapecommandline escapechar exitonforwardfailure"
    " fingerprinthash forkafterauthentication forwardagent forwardx11 forwardx11timeout"
    " forwardx11trusted gatewayports gssapiclientidentity gssapidelegatecredentials"
    " gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns hostbasedacceptedalgorithms"
    " ignoreunknown ipqos kbdinteractiveauthentication kbdinteractivedevices keepalive"
    " localcommand localforward loglevel logverbose nohostauthenticationforlocalhost"
    " numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand"
    " permitremoteopen preferredauthentications pubkeyauthentication refuseconnection rekeylimit"
    " remotecommand remoteforward requesttty sendenv serveralivecountmax serveraliveinterval"
    " sessiontype setenv stdinnull streamlocalbindmask streamlocalbindunlink"
    " stricthostkeychecking syslogfacility tag tcpkeepalive tunnel tunneldevice updatehostkeys"
    " usekeychain verifyhostkeydns visualhostkey xauthlocation"
)
"""Keywords that change nothing for one command over a pair of pipes, or that only prompt."""

_OFF = frozenset({"no", "none", "false"})

_POLICY = _words(
    "ciphers macs kexalgorithms hostkeyalgorithms pubkeyacceptedalgorithms pubkeyacceptedkeytypes"
    " casignaturealgorithms requiredrsasize gssapikexalgorithms gssapikeyexchange"
    " gssapiauthentication hostbasedauthentication"
)
"""What distributions set for everybody in the system's file: a demand only in the user's own."""

_WORD = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*")


@dataclass(frozen=True, slots=True)
class HostConfig:
    """How to reach one host.

    host: the name or address to connect to. user: the account, never empty.
    identity_files: in the order to be tried; identities_chosen: named by ssh_config, not defaults.
    identity_agent: a socket's path, "none", or "" where ssh_config is silent.
    connect_timeout: in seconds, or None.
    openssh_reason: what paramiko lacks and this host wants, such as "ProxyJump", or "".
    gssapi: the system's file offers GSSAPI to everybody; OpenSSH may get in where keys do not.
    """

    host: str
    user: str
    port: int
    identity_files: tuple[Path, ...]
    identities_chosen: bool
    identities_only: bool
    identity_agent: str
    known_hosts: tuple[Path, ...]
    hash_known_hosts: bool
    connect_timeout: float | None
    address_family: socket.AddressFamily
    openssh_reason: str
    gssapi: bool


@dataclass(slots=True)
class _Reading:
    """The state of reading the files once for one host."""

    original: str
    user: str
    login: str
    home: Path
    final: bool
    options: dict[str, list[str]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    final_wanted: bool = False
    gssapi: bool = False


def read_host_config(
    host: str,
    *,
    user: str,
    port: int | None,
    home: Path,
    login: str,
    system_config: Path = SYSTEM_CONFIG,
) -> HostConfig:
    """Return how to reach a host, as the user's and the system's ssh_config say.

    user, port: what the URL says, which comes first; "" and None where it says nothing.
    login: the local account's name, the last resort for the user.
    """
    reading = _Reading(host, user, login, home, final=False)
    _read_both(reading, system_config)
    if reading.final_wanted:
        reading.final = True
        _read_both(reading, system_config)
    return _resolve(reading, port)


def _read_both(reading: _Reading, system_config: Path) -> None:
    _read_file(reading, reading.home / ".ssh" / "config", own=True, active=True, depth=0)
    _read_file(reading, system_config, own=False, active=True, depth=0)


def _read_file(reading: _Reading, path: Path, *, own: bool, active: bool, depth: int) -> None:
    try:
        with path.open("rb") as file:
            text = file.read(FILE_LIMIT).decode("utf-8", "replace")
    except OSError:
        return
    enclosing = active
    for number, line in enumerate(text.split("\n"), 1):
        words = _split(line)
        if words is None:
            reading.reasons.append(f"{path.name} line {number}")
            continue
        if not words:
            continue
        keyword, *values = words
        if keyword == "host":
            active = enclosing and _any_pattern(values, reading.original)
        elif keyword == "match":
            active = enclosing and _match(reading, values)
        elif keyword == "include":
            if depth >= INCLUDE_DEPTH:
                reading.reasons.append("Include")
                continue
            folder = reading.home / ".ssh" if own else path.parent
            for included in _included(values, folder, reading.home):
                _read_file(reading, included, own=own, active=active, depth=depth + 1)
        elif active:
            _take(reading, keyword, values, own=own)


def _split(line: str) -> list[str] | None:
    """Return a line's keyword in lower case and its values; [] if blank, None if malformed."""
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return []
    match = _WORD.fullmatch(line)
    if match is None:
        return None
    try:
        values = shlex.split(match[2], comments=True)
    except ValueError:
        return None
    return [match[1].lower(), *values] if values else None


def _included(patterns: Sequence[str], folder: Path, home: Path) -> Iterator[Path]:
    for pattern in patterns:
        place = home / pattern[2:] if pattern.startswith("~/") else folder / pattern
        yield from map(Path, sorted(glob.glob(str(place))))


def _take(reading: _Reading, keyword: str, values: list[str], *, own: bool) -> None:
    if keyword in _USED:
        if keyword not in reading.options:
            reading.options[keyword] = list(values)
        elif keyword in _LISTS:
            known = reading.options[keyword]
            known += [value for value in values if value not in known]
        return
    if keyword in _HARMLESS or keyword in reading.options:
        return
    reading.options[keyword] = list(values)
    if values[0].lower() in _OFF:
        return
    if keyword in _POLICY and not own:
        reading.gssapi |= keyword == "gssapiauthentication"
    else:
        reading.reasons.append(keyword)


def _any_pattern(patterns: Sequence[str], text: str) -> bool:
    """Whether a text matches one of the patterns and none of the negated ones."""
    matched = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if fnmatchcase(text, pattern.removeprefix("!").replace("[", "[[]")):
            if negated:
                return False
            matched = True
    return matched


def _match(reading: _Reading, criteria: Sequence[str]) -> bool:
    """Return whether a Match line holds; what only OpenSSH can tell becomes a reason."""
    words = iter(criteria)
    uncertain = ""
    for word in words:
        negated = word.startswith("!")
        kind = word.removeprefix("!").lower()
        if kind == "all":
            held = True
        elif kind == "canonical":
            held = False
        elif kind == "final":
            reading.final_wanted = True
            held = reading.final
        else:
            value = next(words, "")
            subject = _subject(reading, kind)
            if subject is None:
                uncertain = f"Match {kind}"
                continue
            held = _any_pattern(value.split(","), subject)
        if held == negated:
            return False
    if uncertain:
        reading.reasons.append(uncertain)
        return False
    return True


def _subject(reading: _Reading, kind: str) -> str | None:
    """Return what a criterion of Match is held against, None for those that OpenSSH must judge."""
    if kind == "host":
        name = reading.options.get("hostname", ["%h"])[0]
        return name.replace("%h", reading.original)
    if kind == "originalhost":
        return reading.original
    if kind == "user":
        return reading.user or reading.options.get("user", [reading.login])[0]
    if kind == "localuser":
        return reading.login
    return None


def _resolve(reading: _Reading, url_port: int | None) -> HostConfig:
    options = reading.options
    reasons = reading.reasons

    def one(keyword: str, default: str) -> str:
        return options.get(keyword, [default])[0]

    def number(keyword: str, default: int) -> int:
        text = one(keyword, str(default))
        if text.isascii() and text.isdigit():
            return int(text)
        reasons.append(keyword)
        return default

    host = _expand(one("hostname", "%h"), {"h": reading.original, "n": reading.original}, reasons)
    user = reading.user or one("user", reading.login)
    port = url_port if url_port is not None else number("port", 22)
    tokens = {
        "d": str(reading.home),
        "h": host,
        "k": host,
        "n": reading.original,
        "p": str(port),
        "r": user,
        "u": reading.login,
    }

    def paths(keyword: str, default: Sequence[str]) -> tuple[Path, ...]:
        found = []
        for value in options.get(keyword, default):
            if value.lower() == "none":
                continue
            text = _expand(value, tokens, reasons)
            relative = text.removeprefix("~/")
            found.append(reading.home / relative if text.startswith("~/") else Path(text))
        return tuple(found)

    default_identities = ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"]
    identities = paths("identityfile", default_identities)
    chosen = "identityfile" in options
    reasons += _security_keys(identities if chosen else (), reading.home, chosen=chosen)
    agent = one("identityagent", "")
    if agent.startswith("$"):
        reasons.append("IdentityAgent")
    elif agent not in {"", "none", "SSH_AUTH_SOCK"}:
        agent = str(paths("identityagent", [])[0])
    timeout = number("connecttimeout", 0)
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
    known_hosts = paths("userknownhostsfile", ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"])
    system_hosts = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
    return HostConfig(
        host=host,
        user=user,
        port=port,
        identity_files=identities,
        identities_chosen=chosen,
        identities_only=one("identitiesonly", "no").lower() == "yes",
        identity_agent=agent,
        known_hosts=known_hosts + paths("globalknownhostsfile", system_hosts),
        hash_known_hosts=one("hashknownhosts", "no").lower() == "yes",
        connect_timeout=float(timeout) if timeout else None,
        address_family=family.get(one("addressfamily", "any").lower(), socket.AF_UNSPEC),
        openssh_reason=reasons[0] if reasons else "",
        gssapi=reading.gssapi,
    )


def _security_keys(identities: Sequence[Path], home: Path, *, chosen: bool) -> list[str]:
    """Return a reason if a key lives in a security token, which OpenSSH alone can ask."""
    if not chosen:
        folder = home / ".ssh"
        plain = any((folder / name).exists() for name in ("id_rsa", "id_ecdsa", "id_ed25519"))
        if plain:
            return []
        identities = [folder / "id_ecdsa_sk", folder / "id_ed25519_sk"]
        identities = [path for path in identities if path.exists()]
    for path in identities:
        if path.name.endswith("_sk"):
            return [f"security key {path.name}"]
        try:
            with path.with_name(path.name + ".pub").open("rb") as file:
                if file.read(3) == b"sk-":
                    return [f"security key {path.name}"]
        except OSError:
            continue
    return []


def _expand(text: str, tokens: Mapping[str, str], reasons: list[str]) -> str:
    """Replace ssh_config's %-tokens; what is not known becomes a reason for OpenSSH."""
    if "${" in text:
        reasons.append("environment variables")

    def replace(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        if match[1] not in tokens:
            reasons.append(match[0])
            return ""
        return tokens[match[1]]

    return re.sub(r"%(.?)", replace, text)
