"""Logging in by keys: which are tried, in which order, and what is said when none is taken."""

from __future__ import annotations

import base64
import threading
from shlex import quote

from msglog.annotation import TYPE_CHECKING
from plumbing.transport.channel import ConnectError, NotLetInError
from plumbing.transport.dialling import reason
from plumbing.transport.key_file import is_plain_ed25519
from plumbing.transport.known_hosts import fingerprint
from plumbing.transport.lean_paramiko import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from plumbing.transport.agent import Agent
    from plumbing.transport.guarded_socket import GuardedSocket
    from plumbing.transport.settings import Settings
    from plumbing.transport.ssh_config import HostConfig

_USED = ("_request_auth", "_get_key_type_and_bits", "_get_session_blob", "wait_for_response")
_CAN_GO_AHEAD = all(hasattr(paramiko.transport.AuthHandler, name) for name in _USED)

_EXPOSED = ": others may read it (chmod 600)"
"""What is noted of the file of a private key, behind its name."""

USERAUTH_REQUEST = 50
"""RFC 4252, 6."""


class AuthenticationError(NotLetInError):
    """The host accepts none of our keys.

    methods: the ways to log in that the host offers, such as "publickey", where it says so.
    """

    def __init__(
        self, what: str, *, why: str = "", hint: str = "", methods: Iterable[str] = ()
    ) -> None:
        super().__init__(what, why=why, hint=hint)
        self.methods = tuple(methods)


class _Login(paramiko.transport.AuthHandler):  # type: ignore[misc]
    """Sends the request to log in along with the one for the service, which saves a round trip.

    RFC 4252, 5.1 lets a client send requests without waiting. RSA alone waits: by the time that the
    service is granted, the server has said which of its algorithms it takes.
    """

    _went_ahead = False

    def _request_auth(self) -> None:
        key = self.private_key
        if self.auth_method != "publickey" or "rsa" in key.get_name():
            super()._request_auth()
            return
        kind, public = self._get_key_type_and_bits(key)
        signed = self._get_session_blob(key, "ssh-connection", self.username, kind)
        request = paramiko.transport.Message()
        request.add_byte(bytes([USERAUTH_REQUEST]))
        for text in (self.username, "ssh-connection", "publickey"):
            request.add_string(text)
        request.add_byte(b"\1")  # with a signature
        for part in (kind, public, key.sign_ssh_data(signed, kind)):
            request.add_string(part)
        self._went_ahead = True
        super()._request_auth()
        self.transport._send_message(request)  # noqa: SLF001 - as the class above does

    def _parse_service_accept(self, message: object) -> None:
        if not self._went_ahead:
            super()._parse_service_accept(message)


def authenticate(
    transport: paramiko.Transport,
    guarded: GuardedSocket,
    config: HostConfig,
    settings: Settings,
    meanwhile: Callable[[], None],
) -> None:
    """Log in by the first key that the host takes; raises AuthenticationError or ConnectError.

    meanwhile: is called each time that the host's answer is waited for, and raises nothing.
    """
    tried: list[str] = []
    refused = False
    notes: list[str] = []
    account = f"{config.user}@{config.host}"
    agent = _open_agent(config, settings, notes)
    try:
        for name, key in _identities(agent, config, notes):
            tried.append(name)
            try:
                if not _log_in(transport, config.user, key, meanwhile):
                    return
                notes.append("the host wants more than a key")
            except paramiko.BadAuthenticationType:
                break
            except paramiko.AuthenticationException as error:
                if not transport.is_active():
                    why = guarded.failure or "the host closed the connection"
                    if guarded.failure or not refused:
                        # It did not say no: sshd waits for whoever knows the keys, up to a time.
                        raise ConnectError(
                            f"cannot log in to {account}", why=why, hint="Try again in a moment."
                        ) from error
                    notes.append(why)
                    break
                refused = True
            except Exception as error:
                # paramiko lets any exception of its parser or of the agent through
                if not transport.is_active():
                    why = guarded.failure or reason(error) or "it closed the connection"
                    raise ConnectError(f"cannot log in to {account}", why=why) from error
                notes.append(f"{name}: {reason(error)}")
    finally:
        if agent is not None:
            agent.close()
    methods = _offered_methods(transport, config.user)
    if methods and "publickey" not in methods:
        notes.append(f"the host takes {', '.join(methods)}")
    attempts = f"tried {', '.join(tried)}" if tried else "there is no key to try"
    hint = _remedy(tried, notes, methods, still_there=transport.is_active())
    raise AuthenticationError(
        f"{account} does not let us in",
        why="; ".join([attempts, *notes]),
        hint=hint,
        methods=methods,
    )


def _remedy(
    tried: Sequence[str], notes: Sequence[str], methods: Sequence[str], *, still_there: bool
) -> str:
    """Return what may help whom a host does not let in.

    still_there: the host has not closed the connection.
    """
    exposed = [note.removesuffix(_EXPOSED) for note in notes if note.endswith(_EXPOSED)]
    if any("passphrase" in note for note in notes):
        return "Load the key into an agent: ssh-add."
    if len(tried) > 1 and not still_there:
        return "Name the one key for this host in ssh_config: IdentityFile, and IdentitiesOnly yes."
    if methods and "publickey" not in methods:
        return ""
    if not tried and exposed:
        return f"Run `chmod 600 {quote(exposed[0])}`."
    if not tried:
        return (
            "Make one with `ssh-keygen -t ed25519`; give the .pub file to whoever runs the server."
        )
    return "Whoever runs the server lets a key in: `msglog admin key add USER FILE.pub`."


def _log_in(
    transport: paramiko.Transport, user: str, key: paramiko.PKey, meanwhile: Callable[[], None]
) -> list[str]:
    """Log in as `Transport.auth_publickey` does, in a round trip less."""
    if not _CAN_GO_AHEAD or not transport.is_active():
        return [*transport.auth_publickey(user, key)]
    event = threading.Event()
    transport.auth_handler = _Login(transport)
    transport.auth_handler.auth_publickey(user, key, event)
    meanwhile()
    return [*transport.auth_handler.wait_for_response(event)]


def _offered_methods(transport: paramiko.Transport, user: str) -> tuple[str, ...]:
    """Return the ways to log in that a host offers, which it tells those who ask for none."""
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as error:
        return tuple(str(method)[:64] for method in error.allowed_types[:16])
    except Exception:  # noqa: BLE001 - it only makes the message better
        return ()
    return ()


def _open_agent(config: HostConfig, settings: Settings, notes: list[str]) -> Agent | None:
    path = config.identity_agent
    if path in {"", "SSH_AUTH_SOCK"}:
        path = settings.agent_socket
    if path in {"", "none"}:
        return None
    from plumbing.transport.agent import Agent  # noqa: PLC0415 - for those who have one

    try:
        return Agent(path)
    except Exception as error:  # noqa: BLE001 - an agent that is gone is no agent
        notes.append(f"no agent at {path}: {reason(error)}")
        return None


def _identities(
    agent: Agent | None, config: HostConfig, notes: list[str]
) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield names and keys in OpenSSH's order: those named in the agent, its others, then files."""
    held = {} if agent is None else {key.asbytes(): key for key in agent.get_keys()}
    in_agent: list[Path] = []
    for path in config.identity_files:
        key = held.pop(_public_blob(path), None)
        if key is not None:
            in_agent.append(path)
            yield f"{path} (agent)", key
    if not (config.identities_only and config.identities_chosen):
        for blob, key in held.items():
            yield f"{key.comment or fingerprint(blob)} (agent)", key
    for path in config.identity_files:
        if path in in_agent:
            continue
        key = _load_key(path, notes, chosen=config.identities_chosen)
        if key is not None:
            yield str(path), key


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
            notes.append(f"{path}{_EXPOSED}")
            return None
        if is_plain_ed25519(path):
            return paramiko.Ed25519Key.from_private_key_file(str(path))
        return _read_key(path)
    except FileNotFoundError:
        if chosen:
            notes.append(f"{path}: no such file")
    except (TypeError, paramiko.PasswordRequiredException):
        notes.append(f"{path}: it needs a passphrase")
    except Exception as error:  # noqa: BLE001 - whatever the file holds, it is no key of ours
        notes.append(f"{path}: {reason(error)}")
    return None


def _read_key(path: Path) -> paramiko.PKey:
    """Return a private key of any type, with its certificate if there is one."""
    try:
        return paramiko.PKey.from_path(path)
    except paramiko.PasswordRequiredException:
        raise
    except paramiko.SSHException:
        key = _read_ecdsa(path)
        if key is None:
            raise
        certificate = path.with_name(f"{path.name}-cert.pub")
        if certificate.exists():
            key.load_certificate(str(certificate))
        return key


def _read_ecdsa(path: Path) -> paramiko.ECDSAKey | None:
    """Return the ECDSA key of a file, or None if it has another.

    paramiko takes the last byte for the length of the padding (`_unpad_openssh`). With an empty
    comment, every other such file has no padding and ends with a zero: nothing is left of it then.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - loaded by now
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = serialization.load_ssh_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return paramiko.ECDSAKey(vals=(key, key.public_key()))
