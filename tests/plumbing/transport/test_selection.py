"""Which transport a remote gets, and that paramiko is not imported for the other."""

import subprocess
import sys
from pathlib import Path

import pytest

from plumbing.transport.selection import ParamikoLacksError, connect, openssh_reason
from plumbing.transport.settings import Settings
from plumbing.transport.ssh_config import read_host_config
from plumbing.transport.url import parse_url


@pytest.mark.parametrize(
    ("known_hosts", "reason"),
    [
        ("host ssh-ed25519 AAAA\n", ""),
        ("@cert-authority *.example ssh-ed25519 AAAA\n", ""),
        ("@cert-authority * ssh-ed25519 AAAA\n", "a host certificate"),
    ],
)
def test_host_certificates_are_left_to_openssh(
    tmp_path: Path, known_hosts: str, reason: str
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(known_hosts)
    config = read_host_config(
        "host", user="", port=None, home=tmp_path, login="me", system_config=tmp_path / "no"
    )
    assert openssh_reason(config) == reason


def test_paramiko_alone_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host far\n  ProxyJump near\n")
    settings = Settings(
        home=tmp_path, login="me", paramiko_only=True, system_config=tmp_path / "no"
    )
    with pytest.raises(ParamikoLacksError, match=r"far by paramiko .*proxyjump"):
        connect(parse_url("far"), command=lambda: "msglog receive-pack", settings=settings)


PROGRAM = """
import sys
from pathlib import Path
from plumbing.transport.channel import ChannelError
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url
settings = Settings(home=Path("/nonexistent"), login="me", ssh_command="/nowhere/ssh")
try:
    connect(parse_url("host"), command=lambda: "msglog receive-pack", settings=settings)
except ChannelError:
    print([name for name in ("paramiko", "logging", "rich") if name in sys.modules])
"""


def test_paramiko_is_imported_only_where_it_is_used() -> None:
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_importing_the_paramiko_transport_leaves_invoke_as_it_was() -> None:
    program = """
import sys, plumbing.transport.ssh
assert "invoke" not in sys.modules
import invoke
assert sys.modules["invoke"] is invoke
"""
    subprocess.run([sys.executable, "-c", program], check=True)
