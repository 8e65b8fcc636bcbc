"""Both SSH transports against a real sshd: what works, and what must fail clearly and in time."""

import contextlib
import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plumbing.transport.channel import Channel, ChannelError, SilenceError
from plumbing.transport.openssh import OpensshChannel
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.ssh import SshChannel
from plumbing.transport.url import parse_url
from tests.loopback import free_port
from tests.ssh.sshd import Sshd
from tests.ssh.transport_client import COMMAND, NOWHERE, MakeClient, user_numbers

MIB = 1 << 20


def receive_exactly(channel: Channel, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        data = channel.receive()
        assert data, "the end came too early"
        received += data
    return bytes(received)


def drain(channel: Channel) -> bytes:
    received = bytearray()
    while data := channel.receive():
        received += data
    return bytes(received)


def test_bytes_go_both_ways(make_client: MakeClient) -> None:
    client = make_client()
    channel = client.open()
    assert isinstance(channel, OpensshChannel if client.transport == "openssh" else SshChannel)
    payload = bytes(range(256))
    channel.send(payload)
    assert receive_exactly(channel, 256) == payload
    channel.close()
    channel.close()


def test_the_forced_command_is_told_what_was_asked_for(make_client: MakeClient) -> None:
    channel = make_client('printf %s "$SSH_ORIGINAL_COMMAND"').open()
    assert drain(channel) == COMMAND.encode()
    channel.close()


def test_user_port_and_address_may_come_from_the_url(make_client: MakeClient) -> None:
    client = make_client()
    client.write_config("", indent="")
    text = client.user.config.read_text().replace("Host server", "Host 127.0.0.1")
    text = re.sub(r" +(User|Port) .*\n", "", text)
    client.user.config.write_text(text)
    channel = client.open(f"ssh://{client.sshd.login}@127.0.0.1:{client.sshd.port}")
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()


def test_twenty_megabytes_go_both_ways_at_once(make_client: MakeClient) -> None:
    channel = make_client().open()
    piece = os.urandom(MIB)
    sent, received = 20, hashlib.sha256()
    lag = 0
    for _ in range(sent):
        channel.send(piece)
        lag += MIB
        while lag > 4 * MIB:
            data = channel.receive()
            received.update(data)
            lag -= len(data)
    received.update(receive_exactly(channel, lag))
    channel.close()
    assert received.digest() == hashlib.sha256(piece * sent).digest()


def test_one_send_larger_than_all_buffers_does_not_block(make_client: MakeClient) -> None:
    channel = make_client().open()
    payload = os.urandom(12 * MIB)
    channel.send(payload)
    assert receive_exactly(channel, len(payload)) == payload
    channel.close()


def test_a_peer_that_floods_and_never_reads_is_refused(make_client: MakeClient) -> None:
    channel = make_client("cat /dev/zero").open()
    with pytest.raises(ChannelError, match="floods"):
        channel.send(bytes(64 * MIB))
    channel.close()


def test_a_flood_on_standard_error_blocks_nothing(make_client: MakeClient) -> None:
    channel = make_client("head -c 6000000 /dev/zero >&2; cat").open()
    channel.send(b"still here")
    assert receive_exactly(channel, 10) == b"still here"
    channel.close()


def test_the_end_of_a_flood_on_standard_error_is_kept(make_client: MakeClient) -> None:
    channel = make_client("head -c 6000000 /dev/zero | tr '\\0' e >&2; echo END >&2").open()
    assert drain(channel) == b""
    assert channel.diagnosis().endswith("eEND")
    assert len(channel.diagnosis()) <= 4096


def test_an_endless_flood_on_standard_error_meets_the_idle_deadline(
    make_client: MakeClient,
) -> None:
    channel = make_client("cat /dev/zero >&2").open(idle_seconds=0.5)
    with pytest.raises(ChannelError, match="silent"):
        channel.receive()
    channel.close()


def test_what_the_command_says_on_standard_error_is_kept(make_client: MakeClient) -> None:
    channel = make_client("echo 'no such account' >&2; exit 3").open()
    assert channel.receive() == b""
    assert channel.diagnosis() == "no such account"
    channel.close()


def test_silence_meets_the_idle_deadline(make_client: MakeClient) -> None:
    channel = make_client("cat >/dev/null").open(idle_seconds=0.5)
    with pytest.raises(ChannelError, match="silent"):
        channel.receive()
    channel.close()


def test_a_command_that_never_speaks_has_a_deadline_of_its_own(sshd: Sshd) -> None:
    user = sshd.make_user(f"user{next(user_numbers)}")
    sshd.authorize(user, "read line; echo hello; cat >/dev/null")
    settings = Settings(
        home=user.home, login=sshd.login, system_config=NOWHERE, channel_seconds=2.0
    )
    with contextlib.closing(
        connect(parse_url("server"), command=lambda: COMMAND, settings=settings)
    ) as channel:
        with pytest.raises(SilenceError, match="for 2 seconds"):
            channel.receive()
        channel.send(b"\n")
        assert channel.receive() == b"hello\n"


def test_a_peer_that_takes_nothing_meets_the_idle_deadline(make_client: MakeClient) -> None:
    channel = make_client("exec tail --pid=$PPID -f /dev/null").open(idle_seconds=0.5)
    with pytest.raises(ChannelError, match="silent"):
        channel.send(bytes(16 * MIB))
    channel.close()


def test_a_command_that_ends_at_once_is_the_end(make_client: MakeClient) -> None:
    channel = make_client("true").open()
    assert channel.receive() == b""
    with pytest.raises(ChannelError):
        channel.send(bytes(16 * MIB))
    channel.close()


def test_what_a_peer_said_before_it_left_is_still_received(make_client: MakeClient) -> None:
    channel = make_client("printf 'ERR refused'; exec <&-; exit 1").open()
    with pytest.raises(ChannelError):
        channel.send(bytes(64 * MIB))
    assert drain(channel) == b"ERR refused"
    channel.close()


def test_a_connection_that_breaks_is_no_end(make_client: MakeClient) -> None:
    channel = make_client("printf hello; read line; kill -9 $PPID; cat").open()
    assert channel.receive() == b"hello"
    channel.send(b"\n")
    with pytest.raises(ChannelError):
        channel.receive()


def test_an_endless_message_of_the_day_arrives_as_data(make_client: MakeClient) -> None:
    channel = make_client("yes Welcome").open()
    assert receive_exactly(channel, 16).startswith(b"Welcome\nWelcome\n")
    channel.close()


def test_an_ordinary_shell_says_that_it_knows_no_msglog(make_client: MakeClient) -> None:
    client = make_client(None)
    channel = client.open(command="msglog-that-is-nowhere receive-pack")
    assert drain(channel) == b""
    assert "msglog-that-is-nowhere" in channel.diagnosis()
    assert "not found" in channel.diagnosis()
    channel.close()


def test_a_host_name_that_does_not_exist(make_client: MakeClient) -> None:
    make_client().fail("ann@host.invalid")


def test_a_port_where_nobody_listens(make_client: MakeClient) -> None:
    error = make_client().fail(f"ssh://127.0.0.1:{free_port()}")
    assert "refused" in error.why


Talk = Callable[[socket.socket], None]


@pytest.fixture
def fake_server() -> Iterator[Callable[[Talk], int]]:
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(talk: Talk) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    talk(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threads.append(thread)
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def answer_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def answer_nothing(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def answer_lines_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"Welcome to this machine\r\n" * 100)


def answer_one_line_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 65536)


def answer_and_fall_silent(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    answer_nothing(connection)


def answer_and_talk_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + b"\x00\x00\x10\x00" + os.urandom(8192))
    answer_nothing(connection)


@pytest.mark.parametrize(
    "talk",
    [
        answer_http,
        answer_nothing,
        answer_lines_for_ever,
        answer_one_line_for_ever,
        answer_and_fall_silent,
        answer_and_talk_nonsense,
        socket.socket.close,
    ],
)
def test_a_port_where_something_else_listens(
    make_client: MakeClient, fake_server: Callable[[Talk], int], talk: Talk
) -> None:
    port = fake_server(talk)
    client = make_client()
    client.fail(
        f"ssh://127.0.0.1:{port}", connect_seconds=1.0, handshake_seconds=1.0, idle_seconds=2.0
    )


PROXY = """\
import os, socket, sys, threading
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := connection.recv(65536):
    os.write(1, data)
os._exit(0)
"""


def test_what_paramiko_lacks_goes_to_openssh_by_itself(sshd: Sshd, tmp_path: Path) -> None:
    user = sshd.make_user(f"user{next(user_numbers)}")
    sshd.authorize(user, "cat")
    proxy = tmp_path / "proxy.py"
    proxy.write_text(PROXY)
    text = user.config.read_text()
    user.config.write_text(f"{text}    ProxyCommand {sys.executable} {proxy} %h %p\n")
    settings = Settings(home=user.home, login=sshd.login, system_config=NOWHERE)
    channel = connect(parse_url("server"), command=lambda: COMMAND, settings=settings)
    assert isinstance(channel, OpensshChannel)
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()


FAILING = """
import sys, threading
from pathlib import Path
from msglog.errors import RemoteError
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url
for port in sys.argv[2:]:
    try:
        connect(parse_url(f"ssh://127.0.0.1:{port}"), command=lambda: "x", settings=Settings(
            home=Path(sys.argv[1]), login="ann", system_config=Path("/nonexistent")))
    except RemoteError:
        for thread in set(threading.enumerate()) - {threading.main_thread()}:
            thread.join(2)
        print(threading.active_count())
"""


def test_a_host_that_turns_us_away(
    make_client: MakeClient, fake_server: Callable[[Talk], int]
) -> None:
    error = make_client().fail(f"ssh://127.0.0.1:{fake_server(lambda _: None)}")
    assert "turns this address away" in error.hint


def test_failures_of_paramiko_reach_nobodys_terminal_and_leave_no_thread(
    sshd: Sshd, fake_server: Callable[[Talk], int], tmp_path: Path
) -> None:
    talks = (answer_http, answer_and_talk_nonsense, socket.socket.close)
    ports = [*(str(fake_server(talk)) for talk in talks), str(sshd.port)]
    words = [sys.executable, "-c", FAILING, str(tmp_path), *ports]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n" * 4, "")


def test_no_thread_outlives_a_connection(make_client: MakeClient) -> None:
    before = set(threading.enumerate())
    client = make_client()
    client.open().close()
    client.user.known_hosts.unlink()
    client.fail()
    for thread in set(threading.enumerate()) - before:
        thread.join(2)
    assert set(threading.enumerate()) <= before
