"""What a host says besides the protocol, before, at and after the login: nothing of it acts on a terminal."""

import contextlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko  # type: ignore[import-untyped]
import pytest
from paramiko.common import (  # type: ignore[import-untyped]
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_SUCCEEDED,
    cMSG_DISCONNECT,
)

from msglog.unsafe_text import UNSAFE
from tests.porcelain.terminal import terminal
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, make_key, running_sshd
from tests.ssh.test_exchange import MSGLOG, NUMBERS, Person, make_site

ACTS = (
    "\x1b[31mred\x1b]0;title\x07\x1b]52;c;aGVsbG8=\x07\x1b]8;;http://evil\x07link\x1b]8;;\x07"
    "\x9b2J\x9d0;c1\x9c\x08\x08\r\x0b\x7f\u202egnp.exe\u2066\u200b\ufeff"
)
MARKUP = "[bold red]markup[/bold red][link=http://evil]x[/link][/]"
HOSTILE = f"{ACTS}{MARKUP}"
UNSAFE_CHARACTER = re.compile(f"(?![\n\t])[{UNSAFE}]")
LONG = "y" * 1000
TRANSPORTS = ["ssh", "openssh"]
COMMANDS = [("push",), ("pull",), ("fetch",), ("sync",), ("ls-remote",), ("clone", "server", "new")]

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    banner = folder / "banner"
    lines = [HOSTILE, LONG, "000cmsglog 1", HOSTILE]
    # sshd shows no banner over a megabyte; nearly that much is read before the login.
    banner.write_text("\n".join(lines * 60) + "\n", errors="surrogateescape")
    with running_sshd(folder / "run", extra=[f"Banner {banner}"]) as running:
        yield running


def a_person(sshd: Sshd, transport: str, command: str | None, *, authorized: bool = True) -> Person:
    user = sshd.make_user(f"banner{next(NUMBERS)}")
    if authorized:
        sshd.authorize(user, command)
    ssh_command = f"ssh -F {user.config}" if transport == "openssh" else ""
    person = Person(user.name, user.home, "server", ssh_command)
    person.msglog("init")
    person.msglog("add", "mine")
    person.msglog("remote", "add", "origin", "server")
    return person


def check_harmless(done: subprocess.CompletedProcess[bytes]) -> None:
    for stream in (done.stdout, done.stderr):
        text = stream.decode()
        assert UNSAFE_CHARACTER.search(text) is None, text
    assert b"Traceback" not in done.stderr


def check_one_line(done: subprocess.CompletedProcess[bytes], status: int) -> None:
    check_harmless(done)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(b"msglog: error: ")
    assert done.stderr.count(b"\n") == 1
    assert len(done.stderr) < 2000


def test_a_banner_before_a_session_that_works_is_not_shown(
    sshd: Sshd, tmp_path: Path, transport: str, account_store: AccountStore
) -> None:
    site = make_site(sshd, tmp_path, transport, account_store)
    person = site.person("write")
    person.msglog("add", "mine")
    for command in COMMANDS:
        done = person.run(*command)
        check_harmless(done)
        assert done.returncode == 0, done.stderr
        assert b"markup" not in done.stdout + done.stderr
        assert b"yyyy" not in done.stdout + done.stderr


def test_a_banner_on_a_terminal_does_not_act(sshd: Sshd, transport: str) -> None:
    """With a terminal of its own, ssh writes what it likes there: it makes a banner harmless, too."""
    person = a_person(sshd, transport, None, authorized=False)
    environment = {"HOME": str(person.home), "PATH": os.environ["PATH"], "NO_COLOR": "1"}
    if person.ssh_command:
        environment["MSGLOG_SSH_COMMAND"] = person.ssh_command
    with terminal() as (stream, shown):
        done = subprocess.run(
            [*MSGLOG, "push"],
            cwd=person.home,
            env=environment,
            stdin=stream,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 4
    text = b"".join(shown).decode()
    assert "msglog: error: " in text
    assert UNSAFE_CHARACTER.search(text.replace("\r\n", "\n")) is None, text


def test_a_banner_before_a_login_that_fails(sshd: Sshd, transport: str) -> None:
    person = a_person(sshd, transport, None, authorized=False)
    for command in COMMANDS:
        check_one_line(person.run(*command), 4)


@pytest.mark.parametrize(
    "stream",
    [">&2; exit 1", ">&2; exit 255", ">&2; kill -9 $$", "; exit 1", ">&2; echo 000cmsglog 9"],
)
def test_what_the_remote_command_says(sshd: Sshd, transport: str, stream: str) -> None:
    quoted = "".join(f"\\{byte:03o}" for byte in HOSTILE.encode())
    person = a_person(sshd, transport, f"printf '{quoted}' {stream}")
    for command in (("push",), ("ls-remote",)):
        done = person.run(*command)
        check_one_line(done, 4)


class HostileServer(paramiko.ServerInterface):  # type: ignore[misc]
    """An SSH server that lets everybody in, or nobody, and puts hostile text wherever it may."""

    def __init__(self, *, lets_in: bool) -> None:
        self._lets_in = lets_in
        self.asked = threading.Event()

    def get_banner(self) -> tuple[str, str]:
        return HOSTILE * 3, "en"

    def get_allowed_auths(self, username: str) -> str:
        del username
        login = "publickey" if self._lets_in else "keyboard-interactive"
        return f"{login},{ACTS.replace(',', '')}"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username, key
        return int(AUTH_SUCCESSFUL if self._lets_in else AUTH_FAILED)

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery:
        del username, submethods
        return paramiko.InteractiveQuery(HOSTILE, HOSTILE, (HOSTILE, True))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        del responses
        return int(AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return int(OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        del channel, command
        self.asked.set()
        return True


def disconnect(transport: paramiko.Transport, _: HostileServer) -> None:
    message = paramiko.Message()
    message.add_byte(cMSG_DISCONNECT)
    message.add_int(2)
    message.add_string(HOSTILE)
    message.add_string("en")
    transport._send_message(message)


def disconnect_after_login(transport: paramiko.Transport, server: HostileServer) -> None:
    server.asked.wait(30)
    disconnect(transport, server)


def complain(transport: paramiko.Transport, server: HostileServer) -> None:
    server.asked.wait(30)
    channel = transport.accept(30)
    channel.sendall_stderr(f"{HOSTILE}\n{HOSTILE}\n".encode())
    channel.send_exit_status(1)
    channel.close()


def do_nothing(transport: paramiko.Transport, server: HostileServer) -> None:
    del transport, server


@pytest.mark.parametrize(
    ("says", "lets_in"),
    [
        (do_nothing, False),
        (disconnect, False),
        (disconnect_after_login, True),
        (complain, True),
    ],
)
def test_a_hostile_ssh_server(
    sshd: Sshd,
    tmp_path: Path,
    transport: str,
    says: Callable[[paramiko.Transport, HostileServer], None],
    *,
    lets_in: bool,
) -> None:
    person = a_person(sshd, transport, None)
    make_key(tmp_path / "host")
    key = paramiko.PKey.from_path(tmp_path / "host")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    known = person.home / ".ssh" / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")

    def serve() -> None:
        connection, _ = listener.accept()
        server = HostileServer(lets_in=lets_in)
        speaking = paramiko.Transport(connection)
        try:
            speaking.add_server_key(key)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                speaking.start_server(event=None, server=server)
                says(speaking, server)
            speaking.join(60)
        finally:
            speaking.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        person.msglog("remote", "set-url", "origin", f"ssh://127.0.0.1:{port}")
        config = person.home / ".ssh" / "config"
        config.write_text(config.read_text().replace("Host server", "Host *"))
        done = person.run("push")
    finally:
        listener.close()
        thread.join(60)
    check_one_line(done, 4)
    assert not thread.is_alive()
