"""SSH by paramiko: the transport that is chosen unless a host's ssh_config asks for more."""

from __future__ import annotations

import base64
import contextlib
import shlex
import threading
from collections import deque

from msglog.annotation import TYPE_CHECKING
from msglog.errors import RemoteError
from plumbing.transport.authentication import authenticate
from plumbing.transport.channel import (
    RECEIVE_BYTES,
    TURNED_AWAY,
    UNREAD_LIMIT,
    ChannelError,
    ConnectError,
    FloodError,
    SilenceError,
)
from plumbing.transport.dialling import IDENTIFICATION, reason
from plumbing.transport.known_hosts import (
    Verdict,
    append_host_key,
    fingerprint,
    host_name,
    judge,
    read_host_keys,
)
from plumbing.transport.lean_paramiko import paramiko
from plumbing.transport.pipe import DIAGNOSIS_BYTES
from plumbing.transport.settings import HostKeyQuestion

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from plumbing.transport.guarded_socket import GuardedSocket
    from plumbing.transport.known_hosts import (
        HostKey,
    )
    from plumbing.transport.settings import Settings
    from plumbing.transport.ssh_config import HostConfig

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

_NOTHING_SAID = "Error reading SSH protocol banner"
"""What paramiko says of a host that closed the connection before it said anything."""

_CURVE, _OLD_CURVE = "curve25519-sha256", "curve25519-sha256@libssh.org"
"""One key exchange: RFC 8731 gave it a name of its own, paramiko 5.1 has it by the older one."""

WINDOW_BYTES = 2 << 20
"""A larger window makes paramiko's buffers quadratic."""

PACKET_BYTES = 1 << 17

ROUND_SECONDS = 0.1
"""How long the handshake is waited for before looking whether its thread still runs."""

POLL_SECONDS = 0.005
"""How long a full window is waited for before looking again whether something arrived."""


class HostKeyError(RemoteError):
    """The host's key is unknown, changed or revoked: nothing was sent."""


class _Transport(paramiko.Transport):  # type: ignore[misc]
    """paramiko's transport, whose thread keeps its failures to itself."""

    _kex_info: ClassVar[dict[str, object]] = dict(paramiko.Transport._kex_info)  # noqa: SLF001 - there is no other way in
    if _OLD_CURVE in _kex_info and _CURVE not in _kex_info:
        _kex_info[_CURVE] = _kex_info[_OLD_CURVE]
        _preferred_kex = tuple(
            name
            for known in paramiko.Transport._preferred_kex  # noqa: SLF001
            for name in ([_CURVE, known] if known == _OLD_CURVE else [known])
        )

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - the waiting side reads saved_exception
            self.saved_exception = error
            self.active = False


class SshChannel:
    """The Channel protocol over one session of a paramiko transport, which it owns."""

    __slots__ = (
        "_channel",
        "_drain",
        "_errors",
        "_idle_seconds",
        "_packet_bytes",
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
        # paramiko copies what it is given, and sends no more than the server takes at once.
        self._packet_bytes = min(
            PACKET_BYTES, getattr(channel, "out_max_packet_size", 0) or PACKET_BYTES
        )
        self._errors = b""
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        # Both streams share one window: unread, a flood on standard error would block the other.
        self._drain = threading.Thread(target=self._drain_errors, daemon=True)
        self._drain.start()

    def send(self, data: bytes) -> None:
        """Send all of data, reading while that has to wait; raises ChannelError.

        What nobody waits for is left where it is: taking it would invite the peer to send more.
        """
        rest = memoryview(data)
        clock = self._settings.clock
        deadline = clock() + self._idle_seconds
        self._channel.settimeout(POLL_SECONDS)
        while rest:
            moved = False
            try:
                sent = self._channel.send(bytes(rest[: self._packet_bytes]))
            except TimeoutError:
                sent = 0
                moved = self._hold()
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
        why = self._socket.failure or ("" if error is None else reason(error))
        return ChannelError("the connection was lost", why=why)


class _Deferred:
    """A text that is made while something else is waited for, and its failure with it."""

    __slots__ = ("_error", "_make", "_text")

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._text: str | None = None
        self._error: Exception | None = None

    def make(self) -> None:
        """Make the text, unless that was tried before; raises nothing."""
        if self._text is None and self._error is None:
            try:
                self._text = self._make()
            except Exception as error:  # noqa: BLE001 - raised by `result`
                self._error = error

    def result(self) -> str:
        """Return the text, or raise what making it has raised."""
        self.make()
        if self._error is not None:
            raise self._error
        assert self._text is not None
        return self._text


def connect_ssh(
    guarded: GuardedSocket,
    config: HostConfig,
    command: Callable[[], str],
    settings: Settings,
    prepare: Callable[[], None],
) -> SshChannel:
    """Log in to a host that was dialled and start a command there.

    prepare: is called while the server's part of the key exchange is waited for, to make ready
    what command needs. command: is called for the command while the login is waited for.

    The connection is the channel's from here on, and closed if this raises ConnectError,
    HostKeyError, AuthenticationError or ChannelError.
    """
    transport: paramiko.Transport | None = None
    try:
        transport = _Transport(
            guarded, default_window_size=WINDOW_BYTES, default_max_packet_size=PACKET_BYTES
        )
        transport.local_version = IDENTIFICATION
        name = host_name(config.host, config.port)
        known = read_host_keys(config.known_hosts, name)
        agreed = _begin_handshake(transport, guarded, known, settings)
        prepare()
        _end_handshake(transport, agreed, guarded, config)
        _check_host_key(transport.get_remote_server_key(), known, name, config, settings)
        guarded.begin_phase("authentication", settings.authentication_seconds)
        line = _Deferred(command)
        authenticate(transport, guarded, config, settings, line.make)
        guarded.begin_phase("start of the command", settings.channel_seconds)
        channel = _start(transport, guarded, line.result(), config)
        guarded.end_phase()
        return SshChannel(transport, channel, guarded, settings)
    except BaseException:
        _shut(transport, guarded)
        raise


def _begin_handshake(
    transport: paramiko.Transport, guarded: GuardedSocket, known: list[HostKey], settings: Settings
) -> threading.Event:
    """Begin to agree on keys, asking for a host key of a type that is known already.

    Returns what is set at the end of it, be it good or bad.
    """
    options = transport.get_security_options()
    options.ciphers = CIPHERS
    options.digests = MACS
    kinds = {key.kind for key in known if not key.marker}
    if "ssh-rsa" in kinds:
        kinds |= {"rsa-sha2-512", "rsa-sha2-256"}
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in kinds)
    transport.banner_timeout = transport.handshake_timeout = settings.handshake_seconds
    # The phase has this bound: paramiko's own would pass for an answer, if it came first.
    transport.auth_timeout = 2 * settings.authentication_seconds
    transport.channel_timeout = settings.channel_seconds
    guarded.begin_phase("SSH handshake", settings.handshake_seconds)
    agreed = threading.Event()
    transport.start_client(event=agreed)
    return agreed


def _end_handshake(
    transport: paramiko.Transport,
    agreed: threading.Event,
    guarded: GuardedSocket,
    config: HostConfig,
) -> None:
    """Wait for the end of the handshake, which the guarded socket bounds."""
    while not agreed.wait(ROUND_SECONDS) and transport.is_alive():
        pass
    if not transport.is_active() or not agreed.is_set():
        error = transport.get_exception()
        why = "" if error is None else reason(error)
        raise ConnectError(
            f"no SSH with {config.host} port {config.port}",
            why=guarded.failure or why or "it closed the connection",
            hint=TURNED_AWAY if not guarded.failure and _NOTHING_SAID in why else "",
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


def _start(
    transport: paramiko.Transport, guarded: GuardedSocket, command: str, config: HostConfig
) -> paramiko.Channel:
    try:
        channel = transport.open_session(window_size=WINDOW_BYTES, max_packet_size=PACKET_BYTES)
        channel.exec_command(command)
    except Exception as error:  # paramiko lets any exception of its parser through
        raise ConnectError(
            f"{config.user}@{config.host} starts no command",
            why=guarded.failure or reason(error) or "it closed the connection",
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
