"""Which servers the two transports trust."""

import base64
import hashlib
import hmac
import os
import subprocess
from pathlib import Path

import pytest

from msglog.errors import RemoteError
from plumbing.transport.selection import connect
from plumbing.transport.settings import HostKeyQuestion, Settings
from plumbing.transport.url import parse_url
from tests.ssh.sshd import Sshd, make_key
from tests.ssh.transport_client import COMMAND, NOWHERE, MakeClient, user_numbers


def fingerprint_of(host_key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(host_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def test_an_unknown_host_key(make_client: MakeClient) -> None:
    client = make_client()
    client.user.known_hosts.unlink()
    error = client.fail()
    if client.transport == "openssh":
        assert "verification failed" in error.why
        return
    assert fingerprint_of(client.sshd.host_key) in error.why
    command = error.hint.partition("accept it: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    channel = client.open()
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()


def test_an_unknown_host_key_is_not_accepted_because_ssh_config_says_so(
    make_client: MakeClient,
) -> None:
    client = make_client()
    client.user.known_hosts.unlink()
    client.write_config("StrictHostKeyChecking no")
    client.fail()
    assert not client.user.known_hosts.exists()


@pytest.mark.parametrize("hashed", [False, True])
def test_a_person_may_accept_a_host_key(sshd: Sshd, *, hashed: bool) -> None:
    user = sshd.make_user(f"user{next(user_numbers)}")
    sshd.authorize(user, "cat")
    user.known_hosts.write_text("# no newline at the end")
    if hashed:
        user.config.write_text(f"HashKnownHosts yes\n{user.config.read_text()}")
    asked: list[HostKeyQuestion] = []
    answer = False

    def ask(question: HostKeyQuestion) -> bool:
        asked.append(question)
        return answer

    settings = Settings(home=user.home, login=sshd.login, ask_host_key=ask, system_config=NOWHERE)
    with pytest.raises(RemoteError, match="not known"):
        connect(parse_url("server"), command=lambda: COMMAND, settings=settings)
    answer = True
    for _ in range(2):
        connect(parse_url("server"), command=lambda: COMMAND, settings=settings).close()
    name = f"[127.0.0.1]:{sshd.port}"
    question = HostKeyQuestion(name, "ssh-ed25519", fingerprint_of(sshd.host_key), user.known_hosts)
    assert asked == [question, question]
    text = user.known_hosts.read_text()
    assert (name in text) is not hashed
    found = subprocess.run(
        ["ssh-keygen", "-F", name, "-f", str(user.known_hosts)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert sshd.host_key.split()[1] in found.stdout


def test_a_changed_host_key(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client()
    make_key(tmp_path / "other")
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    client.user.known_hosts.write_text(f"[127.0.0.1]:{client.sshd.port} {other}\n")

    def ask(question: HostKeyQuestion) -> bool:
        pytest.fail(f"asked about {question}")

    error = client.fail(ask_host_key=ask)
    if client.transport == "paramiko":
        assert "has changed" in error.what
        assert fingerprint_of(client.sshd.host_key) in error.why
        assert fingerprint_of(other) in error.why
        assert f"{client.user.known_hosts}:1" in error.why


def test_a_revoked_host_key(make_client: MakeClient) -> None:
    client = make_client()
    text = client.user.known_hosts.read_text()
    client.user.known_hosts.write_text(f"{text}@revoked * {client.sshd.host_key}\n")
    error = client.fail()
    assert "revoked" in str(error)


def test_a_hashed_known_hosts_file(make_client: MakeClient) -> None:
    client = make_client()
    salt = os.urandom(20)
    name = f"[127.0.0.1]:{client.sshd.port}".encode()
    parts = [base64.b64encode(part).decode() for part in (salt, hmac.digest(salt, name, "sha1"))]
    client.user.known_hosts.write_text(f"|1|{parts[0]}|{parts[1]} {client.sshd.host_key}\n")
    channel = client.open()
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()


def test_a_host_known_by_another_type_of_key_is_asked_for_that_type(
    make_client: MakeClient,
) -> None:
    client = make_client()
    key = " ".join((client.sshd.folder / "host_ecdsa.pub").read_text().split()[:2])
    client.user.known_hosts.write_text(f"[127.0.0.1]:{client.sshd.port} {key}\n")
    channel = client.open()
    channel.send(b"x")
    assert channel.receive() == b"x"
    channel.close()
