"""How the paramiko transport logs in: in how many requests, and without waiting for what it need not."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]
import pytest
from paramiko.common import (  # type: ignore[import-untyped]
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_SUCCEEDED,
)

from plumbing.transport.channel import ConnectError
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url
from tests.ssh.sshd import USER_CONFIG, make_key, running_sshd

NOWHERE = Path("/nonexistent")


class Interface(paramiko.ServerInterface):  # type: ignore[misc]
    def __init__(self, taken: bytes) -> None:
        self.taken = taken

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> Any:
        assert username == "me"
        return AUTH_SUCCESSFUL if key.asbytes() == self.taken else AUTH_FAILED

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_channel_request(self, _kind: str, _number: int) -> Any:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        channel.send(command)
        return True


class Sparing(paramiko.transport.AuthHandler):  # type: ignore[misc]
    """The server's side: it may keep what grants the service until a request to log in is there."""

    def __init__(self, transport: paramiko.Transport, *, keeps: bool, ends_after: int) -> None:
        super().__init__(transport)
        self.keeps = keeps
        self.ends_after = ends_after
        self.said: list[str] = []
        self.kept: list[paramiko.Message] = []

    def _parse_service_request(self, message: paramiko.Message) -> None:
        self.said.append("service")
        self.kept.append(message)
        if not self.keeps:
            self._grant()

    def _parse_userauth_request(self, message: paramiko.Message) -> None:
        self.said.append("login")
        if self.said.count("login") > self.ends_after:
            self.transport.close()
            return
        self._grant()
        super()._parse_userauth_request(message)

    def _grant(self) -> None:
        while self.kept:
            super()._parse_service_request(self.kept.pop())

    @property
    def _server_handler_table(self) -> Any:
        return {**super()._server_handler_table, 5: self._parse_service_request}


@dataclass(slots=True)
class Server:
    """One connection's worth of a server by paramiko."""

    folder: Path
    listener: socket.socket
    threads: list[threading.Thread] = field(default_factory=list)
    handlers: list[Sparing] = field(default_factory=list)

    def serve(self, taken: Path, *, keeps: bool, ends_after: int = 100) -> None:
        """Serve one connection, and end it instead of answering one login more than ends_after."""

        def run() -> None:
            connection, _ = self.listener.accept()
            with contextlib.closing(paramiko.Transport(connection)) as transport:
                transport.add_server_key(paramiko.PKey.from_path(self.folder / "host"))
                transport.auth_handler = Sparing(transport, keeps=keeps, ends_after=ends_after)
                self.handlers.append(transport.auth_handler)
                interface = Interface(paramiko.PKey.from_path(taken).asbytes())
                with contextlib.suppress(paramiko.SSHException):  # it was ended on purpose
                    transport.start_server(server=interface)
                transport.join(30)

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def settings(self, *keys: Path) -> Settings:
        ssh = self.folder / "home" / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        port = self.listener.getsockname()[1]
        host = " ".join((self.folder / "host.pub").read_text().split()[:2])
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
        text = USER_CONFIG.format(port=port, login="me", home=ssh.parent)
        lines = "".join(f'    IdentityFile "{key}"\n' for key in keys)
        (ssh / "config").write_text(text.replace(f'    IdentityFile "{ssh}/id_ed25519"\n', lines))
        return Settings(
            home=ssh.parent, login="me", system_config=NOWHERE, authentication_seconds=5.0
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    make_key(tmp_path / "host")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Server(tmp_path, listener)
        yield made
    for thread in made.threads:
        thread.join(30)
        assert not thread.is_alive()


def log_in(settings: Settings) -> None:
    channel = connect(parse_url("server"), command=lambda: "a command", settings=settings)
    with contextlib.closing(channel):
        assert channel.receive() == b"a command"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_the_request_to_log_in_does_not_wait_for_the_service(
    server: Server, tmp_path: Path, kind: str
) -> None:
    key = tmp_path / "key"
    make_key(key, kind=kind, comment=kind)
    server.serve(key, keeps=True)
    log_in(server.settings(key))
    assert server.handlers[0].said == ["service", "login"]


@pytest.mark.parametrize("kinds", [["ed25519", "ed25519"], ["ecdsa", "rsa"], ["rsa", "ed25519"]])
def test_each_key_is_offered_once(server: Server, tmp_path: Path, kinds: list[str]) -> None:
    keys = [tmp_path / f"key{number}" for number in range(len(kinds))]
    for key, kind in zip(keys, kinds, strict=True):
        make_key(key, kind=kind, comment=kind)
    server.serve(keys[-1], keeps=False)
    log_in(server.settings(*keys))
    assert server.handlers[0].said == ["service", "login"] * 2


@pytest.mark.parametrize("refused", [0, 1])
def test_a_host_that_gives_no_answer_has_not_refused_the_key(
    server: Server, tmp_path: Path, refused: int
) -> None:
    """sshd ends a connection whose key is looked up for too long; and one after too many refusals."""
    keys = [tmp_path / f"key{number}" for number in range(refused + 1)]
    for key in (*keys, tmp_path / "other"):
        make_key(key)
    server.serve(tmp_path / "other", keeps=False, ends_after=refused)
    with pytest.raises(ConnectError, match="the host closed the connection") as caught:
        log_in(server.settings(*keys))
    assert caught.value.temporary is (refused == 0)


@pytest.mark.parametrize("name", ["curve25519-sha256", "curve25519-sha256@libssh.org"])
def test_a_server_that_knows_one_name_of_the_key_exchange(tmp_path: Path, name: str) -> None:
    with running_sshd(tmp_path / "sshd", extra=[f"KexAlgorithms {name}"]) as sshd:
        user = sshd.make_user("user")
        sshd.authorize(user, "cat")
        settings = Settings(home=user.home, login=sshd.login, system_config=NOWHERE)
        channel = connect(parse_url("server"), command=lambda: "x", settings=settings)
        with contextlib.closing(channel):
            channel.send(b"x")
            assert channel.receive() == b"x"
