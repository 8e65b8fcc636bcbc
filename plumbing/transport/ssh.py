"""SSH by paramiko: the transport that is chosen unless a host's ssh_config asks for more."""

from __future__ import annotations

import base64
import contextlib
import logging
import shlex
import socket
import sys
import threading
from collections import deque

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import RemoteError
from plumbing.transport.channel import (
    RECEIVE_BYTES,
    UNREAD_LIMIT,
    ChannelError,
    ConnectError,
    FloodError,
    SilenceError,
)
from plumbing.transport.guarded_socket import GuardedSocket
from plumbing.transport.known_hosts import (
    Verdict,
    append_host_key,
    fingerprint,
    host_name,
    judge,
    read_host_keys,
)
from plumbing.transport.pipe import DIAGNOSIS_BYTES
from plumbing.transport.settings import HostKeyQuestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from plumbing.transport.known_hosts import (
        HostKey,
    )
    from plumbing.transport.settings import Settings
    from plumbing.transport.ssh_config import HostConfig

# paramiko imports invoke only to run ssh_config's `Match exec`, which is left to OpenSSH here; not
# finding it saves 45 ms. The entry is put back, so that nobody else misses invoke.
_ABSENT: Any = object()
_invoke = sys.modules.get("invoke", _ABSENT)
sys.modules["invoke"] = None  # type: ignore[assignment]
try:
    import paramiko  # type: ignore[import-untyped]
    from paramiko.agent import AgentSSH  # type: ignore[import-untyped]
finally:
    if _invoke is _ABSENT:
        del sys.modules["invoke"]
    else:
        sys.modules["invoke"] = _invoke

CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
"""paramiko's lists without CBC, 3DES, MD5 and SHA-1, and the fastest first."""

WINDOW_BYTES = 2 << 20
"""A larger window makes paramiko's buffers quadratic."""

PACKET_BYTES = 1 << 17

POLL_SECONDS = 0.005
"""How long a full window is waited for before looking again whether something arrived."""

REASON_CHARACTERS = 200
"""How much of what paramiko says, which may quote the peer, goes into an error."""

AGENT_SECONDS = 60.0
"""How long an agent may take: some ask a person."""

# Without a handler of its own, logging prints paramiko's warnings on standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class HostKeyError(RemoteError):
    """The host's key is unknown, changed or revoked: nothing was sent."""


class AuthenticationError(RemoteError):
    """The host accepts none of our keys.

    methods: the ways to log in that the host offers, such as "publickey", where it says so.
    """

    def __init__(
        self, what: str, *, why: str = "", hint: str = "", methods: Iterable[str] = ()
    ) -> None:
        super().__init__(what, why=why, hint=hint)
        self.methods = tuple(methods)


class _Transport(paramiko.Transport):  # type: ignore[misc]
    """paramiko's transport, whose thread keeps its failures to itself."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - the waiting side reads saved_exception
            self.saved_exception = error
            self.active = False


class _Agent(AgentSSH):  # type: ignore[misc]
    """An agent at a given socket; paramiko's own class takes it from the environment."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(AGENT_SECONDS)
            connection.connect(path)
            self._connect(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the connection to the agent."""
        self._close()


@dataclass(frozen=True, slots=True)
class _Identity:
    """A key to log in with: its name for messages, and the key."""

    name: str
    key: paramiko.PKey


class SshChannel:
    """The Channel protocol over one session of a paramiko transport, which it owns."""

    __slots__ = (
        "_channel",
        "_drain",
        "_errors",
        "_idle_seconds",
        "_settings",
        "_socket",
        "_started",
        "_transport",
        "_unread",
        "_unread_bytes",
    )

    def __init__(
        self,
        transport: paramiko.Transport,
        channel: paramiko.Channel,
        guarded: GuardedSocket,
        settings: Settings,
    ) -> None:
        self._transport = transport
        self._channel = channel
        self._socket = guarded
        self._settings = settings
        self._idle_seconds = settings.idle_seconds
        self._started = False
        self._errors = b""
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        # Both streams share one window: unread, a flood on standard error would block the other.
        self._drain = threading.Thread(target=self._drain_errors, daemon=True)
        self._drain.start()

    def send(self, data: bytes) -> None:
        """Send all of data, reading meanwhile; raises ChannelError."""
        rest = memoryview(data)
        clock = self._settings.clock
        deadline = clock() + self._idle_seconds
        self._channel.settimeout(POLL_SECONDS)
        while rest:
            moved = self._hold()
            try:
                sent = self._channel.send(bytes(rest[:PACKET_BYTES]))
            except TimeoutError:
                sent = 0
            except (OSError, EOFError, paramiko.SSHException) as error:
                self._hold()
                raise self._lost(error) from error
            else:
                if not sent:
                    self._hold()
                    raise self._lost(None)
            rest = rest[sent:]
            if sent or moved:
                deadline = clock() + self._idle_seconds
            elif clock() > deadline:
                raise SilenceError(self._idle_seconds)

    def receive(self) -> bytes:
        """Return the next bytes, or b"" at the end; raises ChannelError on silence."""
        if self._unread:
            data = self._unread.popleft()
            self._unread_bytes -= len(data)
            return data
        seconds = self._idle_seconds
        if not self._started:
            seconds = min(seconds, self._settings.channel_seconds)
        self._channel.settimeout(seconds)
        try:
            received: bytes = self._channel.recv(RECEIVE_BYTES)
        except TimeoutError:
            raise SilenceError(seconds) from None
        self._started = True
        if not received and not self._channel.eof_received and not self._transport.is_active():
            raise self._lost(self._transport.get_exception())
        return received

    def close(self) -> None:
        """Close the session and the connection."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()
        _shut(self._transport, self._socket)
        self._drain.join(timeout=1.0)

    def diagnosis(self) -> str:
        """Return the end of what the peer wrote on standard error, at most 4 KiB."""
        if self._channel.eof_received or self._channel.closed:
            self._drain.join(timeout=1.0)
        return self._errors.decode("utf-8", "replace").strip()

    def _hold(self) -> bool:
        """Keep what arrived while sending for `receive`; return whether there was something."""
        held = False
        while self._channel.recv_ready():
            data = self._channel.recv(RECEIVE_BYTES)
            self._unread.append(data)
            self._unread_bytes += len(data)
            held = True
            if self._unread_bytes > UNREAD_LIMIT:
                raise FloodError
        return held

    def _drain_errors(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := self._channel.recv_stderr(PACKET_BYTES):
                self._errors = (self._errors + data)[-DIAGNOSIS_BYTES:]

    def _lost(self, error: BaseException | None) -> ChannelError:
        why = self._socket.failure or ("" if error is None else _reason(error))
        return ChannelError("the connection was lost", why=why)


def connect_ssh(config: HostConfig, command: str, settings: Settings) -> SshChannel:
    """Log in to a host and start a command there.

    Raises ConnectError, HostKeyError, AuthenticationError or ChannelError.
    """
    guarded = _open_socket(config, settings)
    transport: paramiko.Transport | None = None
    try:
        transport = _Transport(
            guarded, default_window_size=WINDOW_BYTES, default_max_packet_size=PACKET_BYTES
        )
        name = host_name(config.host, config.port)
        known = read_host_keys(config.known_hosts, name)
        _handshake(transport, guarded, known, config, settings)
        _check_host_key(transport.get_remote_server_key(), known, name, config, settings)
        guarded.begin_phase("authentication", settings.authentication_seconds)
        _authenticate(transport, guarded, config, settings)
        guarded.begin_phase("start of the command", settings.channel_seconds)
        channel = _start(transport, guarded, command, config)
        guarded.end_phase()
        return SshChannel(transport, channel, guarded, settings)
    except BaseException:
        _shut(transport, guarded)
        raise


def _open_socket(config: HostConfig, settings: Settings) -> GuardedSocket:
    where = f"{config.host} port {config.port}"
    try:
        places = socket.getaddrinfo(
            config.host, config.port, config.address_family, socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        raise ConnectError(f"the host {config.host} is not known", why=_reason(error)) from error
    seconds = config.connect_timeout or settings.connect_seconds
    failure: OSError | None = None
    for family, kind, protocol, _, address in places:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(seconds)
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            connection.close()
            failure = error
            continue
        return GuardedSocket(connection, idle_seconds=settings.idle_seconds, clock=settings.clock)
    why = "" if failure is None else _reason(failure)
    if isinstance(failure, TimeoutError):
        why = f"no answer within {seconds:g} seconds"
    raise ConnectError(f"cannot connect to {where}", why=why)


def _handshake(
    transport: paramiko.Transport,
    guarded: GuardedSocket,
    known: list[HostKey],
    config: HostConfig,
    settings: Settings,
) -> None:
    """Agree on keys with the server, asking for a host key of a type that is known already."""
    options = transport.get_security_options()
    options.ciphers = CIPHERS
    options.digests = MACS
    kinds = {key.kind for key in known if not key.marker}
    if "ssh-rsa" in kinds:
        kinds |= {"rsa-sha2-512", "rsa-sha2-256"}
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in kinds)
    transport.banner_timeout = transport.handshake_timeout = settings.handshake_seconds
    transport.auth_timeout = settings.authentication_seconds
    transport.channel_timeout = settings.channel_seconds
    guarded.begin_phase("SSH handshake", settings.handshake_seconds)
    try:
        transport.start_client()
    except Exception as error:  # paramiko lets any exception of its parser through
        raise ConnectError(
            f"no SSH with {config.host} port {config.port}",
            why=guarded.failure or _reason(error) or "it closed the connection",
        ) from error
    guarded.end_phase()


def _check_host_key(
    key: paramiko.PKey, known: list[HostKey], name: str, config: HostConfig, settings: Settings
) -> None:
    blob: bytes = key.asbytes()
    kind: str = key.get_name()
    shown = fingerprint(blob)
    verdict, line = judge(known, blob)
    if verdict is Verdict.KNOWN:
        return
    if verdict is Verdict.REVOKED and line is not None:
        raise HostKeyError(
            f"the host key of {name} is revoked",
            why=f"{kind} {shown}, revoked in {line.place}",
            hint="Somebody may be impersonating the host: ask who runs it.",
        )
    if verdict is Verdict.CHANGED and line is not None:
        raise HostKeyError(
            f"the host key of {name} has changed",
            why=f"it shows {kind} {shown}, {line.place} has {line.kind} {fingerprint(line.blob)}",
            hint="Somebody may be impersonating the host: ask who runs it; "
            f"if the new key is right, remove the old one: ssh-keygen -R {shlex.quote(name)} "
            f"-f {shlex.quote(line.place.rpartition(':')[0])}",
        )
    path = config.known_hosts[0] if config.known_hosts else settings.home / ".ssh" / "known_hosts"
    question = HostKeyQuestion(name, kind, shown, path)
    if settings.ask_host_key is not None and settings.ask_host_key(question):
        append_host_key(path, name, kind, blob, hashed=config.hash_known_hosts)
        return
    entry = shlex.quote(f"{name} {kind} {base64.b64encode(blob).decode()}")
    raise HostKeyError(
        f"the host key of {name} is not known",
        why=f"{kind} {shown}",
        hint="If whoever runs the host confirms that fingerprint, accept it: "
        f"echo {entry} >> {shlex.quote(str(path))}",
    )


def _authenticate(
    transport: paramiko.Transport, guarded: GuardedSocket, config: HostConfig, settings: Settings
) -> None:
    tried: list[str] = []
    notes: list[str] = []
    account = f"{config.user}@{config.host}"
    agent = _open_agent(config, settings, notes)
    try:
        for identity in _identities(agent, config, notes):
            tried.append(identity.name)
            try:
                if not transport.auth_publickey(config.user, identity.key):
                    return
                notes.append("the host wants more than a key")
            except paramiko.BadAuthenticationType:
                break
            except paramiko.AuthenticationException:
                if not transport.is_active():
                    notes.append(guarded.failure or "the host closed the connection")
                    break
            except Exception as error:
                # paramiko lets any exception of its parser or of the agent through
                if not transport.is_active():
                    why = guarded.failure or _reason(error) or "it closed the connection"
                    raise ConnectError(f"cannot log in to {account}", why=why) from error
                notes.append(f"{identity.name}: {_reason(error)}")
    finally:
        if agent is not None:
            agent.close()
    methods = _offered_methods(transport, config.user)
    if methods and "publickey" not in methods:
        notes.append(f"the host takes {', '.join(methods)}")
    attempts = f"tried {', '.join(tried)}" if tried else "there is no key to try"
    hint = ""
    if any("passphrase" in note for note in notes):
        hint = "Load the key into an agent: ssh-add."
    elif len(tried) > 1 and not transport.is_active():
        hint = "Name the one key for this host in ssh_config: IdentityFile, and IdentitiesOnly yes."
    raise AuthenticationError(
        f"{account} does not let us in",
        why="; ".join([attempts, *notes]),
        hint=hint,
        methods=methods,
    )


def _offered_methods(transport: paramiko.Transport, user: str) -> tuple[str, ...]:
    """Return the ways to log in that a host offers, which it tells those who ask for none."""
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as error:
        return tuple(str(method)[:64] for method in error.allowed_types[:16])
    except Exception:  # noqa: BLE001 - it only makes the message better
        return ()
    return ()


def _open_agent(config: HostConfig, settings: Settings, notes: list[str]) -> _Agent | None:
    path = config.identity_agent
    if path in {"", "SSH_AUTH_SOCK"}:
        path = settings.agent_socket
    if path in {"", "none"}:
        return None
    try:
        return _Agent(path)
    except Exception as error:  # noqa: BLE001 - an agent that is gone is no agent
        notes.append(f"no agent at {path}: {_reason(error)}")
        return None


def _identities(agent: _Agent | None, config: HostConfig, notes: list[str]) -> Iterator[_Identity]:
    """Yield the keys in OpenSSH's order: the agent's that are named, its others, then files."""
    held = {} if agent is None else {key.asbytes(): key for key in agent.get_keys()}
    in_agent: list[Path] = []
    for path in config.identity_files:
        key = held.pop(_public_blob(path), None)
        if key is not None:
            in_agent.append(path)
            yield _Identity(f"{path} (agent)", key)
    if not (config.identities_only and config.identities_chosen):
        for blob, key in held.items():
            yield _Identity(f"{key.comment or fingerprint(blob)} (agent)", key)
    for path in config.identity_files:
        if path in in_agent:
            continue
        key = _load_key(path, notes, chosen=config.identities_chosen)
        if key is not None:
            yield _Identity(str(path), key)


def _public_blob(path: Path) -> bytes:
    """Return the public half of a key file as SSH sends it, or b"" where it is not to be had."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        with public.open("rb") as file:
            fields = file.read(1 << 16).split(None, 2)
        return base64.b64decode(fields[1], validate=True)
    except (OSError, IndexError, ValueError):
        return b""


def _load_key(path: Path, notes: list[str], *, chosen: bool) -> paramiko.PKey | None:
    """Return a private key, or None with a note why not."""
    if path.suffix == ".pub":
        notes.append(f"{path}: the agent does not have it")
        return None
    try:
        if path.stat().st_mode & 0o077:
            notes.append(f"{path}: others may read it (chmod 600)")
            return None
        return paramiko.PKey.from_path(path)
    except FileNotFoundError:
        if chosen:
            notes.append(f"{path}: no such file")
    except (TypeError, paramiko.PasswordRequiredException):
        notes.append(f"{path}: it needs a passphrase")
    except Exception as error:  # noqa: BLE001 - whatever the file holds, it is no key of ours
        notes.append(f"{path}: {_reason(error)}")
    return None


def _start(
    transport: paramiko.Transport, guarded: GuardedSocket, command: str, config: HostConfig
) -> paramiko.Channel:
    try:
        channel = transport.open_session(window_size=WINDOW_BYTES, max_packet_size=PACKET_BYTES)
        channel.exec_command(command)
    except Exception as error:  # paramiko lets any exception of its parser through
        raise ConnectError(
            f"{config.user}@{config.host} starts no command",
            why=guarded.failure or _reason(error) or "it closed the connection",
        ) from error
    return channel


def _shut(transport: paramiko.Transport | None, guarded: GuardedSocket) -> None:
    """Close a connection at whatever stage, leaving no thread or timer that outlives us."""
    guarded.close()
    if transport is not None:
        transport.packetizer.complete_handshake()
        transport.close()
        if transport.is_alive():
            transport.join(timeout=1.0)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return "it closed the connection"
    return " ".join(str(error).split())[:REASON_CHARACTERS] or type(error).__name__
