"""Keys and agents with which the two transports log in."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.errors import RemoteError
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url
from tests.ssh.sshd import Sshd, User, make_key
from tests.ssh.transport_client import COMMAND, NOWHERE, MakeClient, user_numbers


def test_a_key_that_is_not_authorised(make_client: MakeClient) -> None:
    client = make_client(authorized=False)
    error = client.fail()
    if client.transport == "paramiko":
        assert str(client.user.key) in error.why
        assert error.what == f"{client.sshd.login}@127.0.0.1 does not let us in"
        assert "`msglog admin key add USER FILE.pub`" in error.hint
    else:
        assert "Permission denied" in error.why


def test_no_key_at_all(make_client: MakeClient) -> None:
    client = make_client()
    client.user.key.unlink()
    error = client.fail()
    if client.transport == "paramiko":
        assert "no such file" in error.why


def test_a_key_that_others_may_read(make_client: MakeClient) -> None:
    client = make_client()
    client.user.key.chmod(0o644)
    error = client.fail()
    if client.transport == "paramiko":
        assert "others may read it" in error.why


def lock_key(user: User) -> None:
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(user.key)]
    subprocess.run(words, check=True, capture_output=True)


def test_a_locked_key_without_an_agent(make_client: MakeClient) -> None:
    client = make_client()
    lock_key(client.user)
    error = client.fail()
    if client.transport == "paramiko":
        assert "needs a passphrase" in error.why
        assert "ssh-add" in error.hint


@pytest.fixture
def agent() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="agent") as folder:
        path = f"{folder}/s"
        words = ["ssh-agent", "-s", "-a", path]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        pid = int(said.partition("SSH_AGENT_PID=")[2].partition(";")[0])
        yield path
        os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("place", ["config", "environment"])
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_an_agent(make_client: MakeClient, agent: str, place: str, kind: str) -> None:
    client = make_client(authorized=False)
    for path in client.user.key.parent.glob("id_*"):
        path.unlink()
    make_key(client.user.key, kind=kind)
    client.sshd.authorize(client.user, "cat")
    environment = {"PATH": os.environ["PATH"], "SSH_AUTH_SOCK": agent}
    words = ["ssh-add", "-q", str(client.user.key)]
    subprocess.run(words, check=True, capture_output=True, env=environment)
    lock_key(client.user)
    text = client.user.config.read_text().replace("    IdentityAgent none\n", "")
    client.user.config.write_text(text)
    if place == "config":
        client.write_config(f"IdentityAgent {agent}")
        channel = client.open()
    else:
        channel = client.open(agent_socket=agent, environment=environment)
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()


def test_an_agent_with_more_keys_than_the_server_tries(
    sshd: Sshd, agent: str, tmp_path: Path
) -> None:
    user = sshd.make_user(f"user{next(user_numbers)}")
    sshd.authorize(user, "cat")
    for number in range(7):
        make_key(tmp_path / f"key{number}")
    environment = {"PATH": os.environ["PATH"], "SSH_AUTH_SOCK": agent}
    words = ["ssh-add", "-q", *(str(tmp_path / f"key{number}") for number in range(7))]
    subprocess.run(words, check=True, capture_output=True, env=environment)
    text = user.config.read_text().replace("IdentitiesOnly yes", "IdentitiesOnly no")
    user.config.write_text(text.replace("IdentityAgent none", f"IdentityAgent {agent}"))
    settings = Settings(home=user.home, login=sshd.login, system_config=NOWHERE)
    with pytest.raises(RemoteError, match="does not let us in") as caught:
        connect(parse_url("server"), command=lambda: COMMAND, settings=settings)
    assert caught.value.why.count("(agent)") == 6
    assert "IdentitiesOnly yes" in caught.value.hint


def test_an_agent_that_is_gone(make_client: MakeClient) -> None:
    client = make_client()
    text = client.user.config.read_text().replace("IdentityAgent none", "IdentityAgent /nowhere/s")
    client.user.config.write_text(text)
    channel = client.open()
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()
