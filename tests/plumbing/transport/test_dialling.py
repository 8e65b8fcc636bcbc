"""The connection that is made before paramiko is imported, and what is said on it."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbing.transport.channel import ConnectError
from plumbing.transport.dialling import IDENTIFICATION, dial
from plumbing.transport.settings import Settings
from plumbing.transport.ssh_config import HostConfig, read_host_config

NOWHERE = Path("/nonexistent")
SETTINGS = Settings(home=NOWHERE, login="me", system_config=NOWHERE, connect_seconds=5.0)


def config(port: int) -> HostConfig:
    return read_host_config(
        "127.0.0.1", user="", port=port, home=NOWHERE, login="me", system_config=NOWHERE
    )


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_we_say_who_we_are_at_once(listener: socket.socket) -> None:
    guarded = dial(config(listener.getsockname()[1]), SETTINGS)
    with contextlib.closing(guarded), listener.accept()[0] as theirs:
        assert theirs.recv(100) == f"{IDENTIFICATION}\r\n".encode()
        assert theirs.getpeername() == guarded._socket.getsockname()


def test_what_we_say_is_an_identification_string() -> None:
    protocol, version, software = IDENTIFICATION.split("-")
    assert (protocol, version) == ("SSH", "2.0")
    assert software.isascii()
    assert software.isprintable()
    assert " " not in software


def test_a_port_where_nobody_listens(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ConnectError, match="refused"):
        dial(config(port), SETTINGS)


PROGRAM = """
import sys
from pathlib import Path
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("paramiko", "cryptography"):
            print("importing", flush=True)
            sys.stdin.readline()
            raise SystemExit
sys.meta_path.insert(0, Finder())
settings = Settings(home=Path("/nonexistent"), login="me", system_config=Path("/nonexistent"))
connect(parse_url(f"ssh://127.0.0.1:{sys.argv[1]}"), command=lambda: "x", settings=settings)
"""


def test_the_server_hears_of_us_before_paramiko_is_imported(listener: socket.socket) -> None:
    words = [sys.executable, "-c", PROGRAM, str(listener.getsockname()[1])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"importing\n"
        with listener.accept()[0] as theirs:
            assert theirs.recv(100) == f"{IDENTIFICATION}\r\n".encode()
            process.communicate(b"\n", 30)
            assert theirs.recv(100) == b""
