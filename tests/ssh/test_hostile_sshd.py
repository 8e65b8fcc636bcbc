"""A hostile user of a server account on a real sshd that would allow everything."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko  # type: ignore[import-untyped]
import pytest

from msglog.wire.encoder import encode_event
from msglog.wire.events import Transfer
from msglog.wire.pktline import encode_packet
from tests.msglog.wire.samples import OTHER, ROOT
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, find_sshd, running_sshd
from tests.ssh.test_exchange import Person, Site, make_site

SECONDS = 60.0
CONNECTIONS = 200
SESSIONS = 20

# What an administrator may have left on: only the line in authorized_keys is in the way.
GENEROUS = [
    "Subsystem sftp internal-sftp",
    "AcceptEnv PYTHON* MSGLOG_*",
    "Match all",
    "DisableForwarding no",
    "AllowTcpForwarding yes",
    "AllowAgentForwarding yes",
    "AllowStreamLocalForwarding yes",
    "X11Forwarding yes",
    "PermitTunnel yes",
    "PermitTTY yes",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, account_store: AccountStore) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with running_sshd(folder / "sshd", extra=GENEROUS) as sshd:
        yield make_site(sshd, folder, "ssh", account_store)


@pytest.fixture(scope="module")
def person(site: Site) -> Person:
    return site.person("write")


def ssh(
    person: Person, *words: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [words[0], "-F", str(person.home / ".ssh" / "config"), *words[1:]],
        env={"HOME": str(person.home), "PATH": os.environ["PATH"], **environment},
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "sh",
        "--help",
        "receive-pack bob",
        "receive-pack --direct /",
        ";id",
        "$(id)",
        "`id`",
        "id\nid",
        "msglog receive-pack main;id",
        "msglog receive-pack main\nid",
        "msglog receive-pack main\n",
        "msglog receive-pack $(id)",
        "msglog receive-pack ../main",
        "msglog receive-pack /etc",
        "msglog receive-pack --direct=/",
        "msglog receive-pack -h",
        "msglog admin user list",
        "msglog  receive-pack",
        "MSGLOG receive-pack",
        "git-upload-pack 'x'",
        "scp -t /tmp",
        "x" * 100_000,
    ],
)
def test_nothing_but_msglog_is_run(person: Person, command: str) -> None:
    done = ssh(person, "ssh", "-T", "server", "--", command)
    assert done.returncode not in (0, 255)
    assert done.stdout == b""
    assert done.stderr.startswith(b"msglog: error: "), done.stderr[:300]
    assert done.stderr.count(b"\n") == 1
    assert len(done.stderr) < 500
    assert b"uid=" not in done.stderr


def test_a_command_line_of_a_megabyte_is_not_run(site: Site, person: Person) -> None:
    client = paramiko.SSHClient()
    client.load_host_keys(str(person.home / ".ssh" / "known_hosts"))
    client.connect(
        "127.0.0.1",
        site.sshd.port,
        site.sshd.login,
        key_filename=str(person.home / ".ssh" / "id_ed25519"),
        allow_agent=False,
        look_for_keys=False,
        timeout=SECONDS,
    )
    said = b""
    try:
        _, stdout, _ = client.exec_command("id;" + "x" * 1_000_000, timeout=SECONDS)
        said = stdout.read()
    except (paramiko.SSHException, EOFError, OSError):
        pass  # sshd itself ends a connection that says so much at once
    finally:
        client.close()
    assert b"uid=" not in said
    assert "main" in person.msglog("ls-remote")


def test_a_terminal_is_refused_and_gives_no_shell(person: Person) -> None:
    done = ssh(person, "ssh", "-tt", "server", stdin=b"id\nexit\n")
    assert b"PTY allocation request failed" in done.stderr
    assert b"uid=" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sftp", "-b", "-", "server"), b"Connection closed"),  # sftp hides what the server says
        (("ssh", "-T", "-s", "server", "sftp"), b""),
        (("scp", "-O", "{file}", "server:{copy}"), b"this account runs msglog and nothing else"),
        (("scp", "-s", "{file}", "server:{copy}"), b"Connection closed"),
    ],
)
def test_no_files_are_copied(
    person: Person, tmp_path: Path, words: tuple[str, ...], says: bytes
) -> None:
    file, copy = tmp_path / "file", tmp_path / "copy"
    file.write_text("contents")
    done = ssh(person, *(word.format(file=file, copy=copy) for word in words), stdin=b"ls /\n")
    assert done.returncode != 0
    assert says in done.stderr
    assert b"etc" not in done.stdout
    assert not copy.exists()


def test_no_port_is_forwarded_either_way(site: Site, person: Person) -> None:
    # -L and -D open the same channel as -W, which asks for it at once.
    onwards = ssh(person, "ssh", "-W", f"127.0.0.1:{site.sshd.port}", "server")
    assert b"prohibited" in onwards.stderr
    assert b"SSH-2.0" not in onwards.stdout
    words = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:1", "server"]
    back = ssh(person, "ssh", *words)
    assert back.returncode != 0
    assert b"remote port forwarding failed" in back.stderr


def test_sshd_gives_the_key_nothing_but_its_command(person: Person) -> None:
    done = ssh(person, "ssh", "-v", "-A", "-X", "-T", "server")
    granted = [
        line.partition("key options:")[2].split()
        for line in done.stderr.decode(errors="replace").splitlines()
        if "key options:" in line
    ]
    assert granted
    assert all(options == ["command"] for options in granted)


def test_variables_that_are_sent_change_nothing(person: Person, tmp_path: Path) -> None:
    shadow(tmp_path, "harm")
    sent = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": "/nonexistent",
        "PYTHONSTARTUP": str(tmp_path / "porcelain" / "__init__.py"),
        "MSGLOG_DIR": str(tmp_path / "other"),
        "MSGLOG_SSH_COMMAND": f"touch {tmp_path}/harm",
        "BASH_ENV": str(tmp_path / "rc"),
        "LD_PRELOAD": "/nonexistent.so",
    }
    (tmp_path / "rc").write_text(f"touch {tmp_path}/harm\n")
    quoted = " ".join(f'"{name}={value}"' for name, value in sent.items())
    done = ssh(person, "ssh", "-T", f"-oSetEnv={quoted}", "server")
    assert f"Hello {person.name}" in done.stderr.decode()
    assert not (tmp_path / "harm").exists()


def test_a_folder_of_our_packages_name_is_not_imported(
    site: Site, person: Person, tmp_path: Path
) -> None:
    shadow(tmp_path, "harm")
    (line,) = [
        line
        for line in site.sshd.authorized_keys.read_text().splitlines()
        if f" receive-pack {person.name} " in line
    ]
    command = line.partition('command="')[2].partition('" ')[0]
    environment = {"HOME": str(tmp_path), "PATH": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert f"Hello {person.name}" in done.stderr.decode()
    assert not (tmp_path / "harm").exists()


def shadow(folder: Path, harm: str) -> None:
    """Put packages of our names into a folder, which leave a file when they are imported."""
    for name in ("porcelain", "plumbing", "msglog", "argparse"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"open({str(folder / harm)!r}, 'w').close()\n")


def test_connections_that_say_nothing_keep_nobody_out(sshd_and_silence: Person) -> None:
    person = sshd_and_silence
    person.msglog("add", "in spite of them")
    assert "1 pushed" in person.msglog("push", "origin")


@pytest.fixture
def sshd_and_silence(site: Site) -> Iterator[Person]:
    """A person beside 200 connections that say nothing and 20 sessions that stop in mid-push."""
    person = site.person("write")
    lines: list[socket.socket] = []
    sessions: list[subprocess.Popen[bytes]] = []
    try:
        address = ("127.0.0.1", site.sshd.port)
        lines.extend(socket.create_connection(address, SECONDS) for _ in range(CONNECTIONS))
        sessions.extend(_stuck_session(person) for _ in range(SESSIONS))
        yield person
        assert all(session.poll() is None for session in sessions)
    finally:
        for line in lines:
            line.close()
        for session in sessions:
            session.kill()
            session.communicate()


def _stuck_session(person: Person) -> subprocess.Popen[bytes]:
    """Begin a push over SSH and say nothing any more in the middle of a batch."""
    config = str(person.home / ".ssh" / "config")
    session = subprocess.Popen(
        ["ssh", "-F", config, "-T", "server", "msglog receive-pack"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    assert session.stdout.read(4) == b"000c"
    empty = Transfer("main", ROOT, OTHER)
    session.stdin.write(encode_event(empty)[:-10] + encode_packet(b"x")[:3])
    session.stdin.flush()
    return session


def test_the_servers_sshd_is_the_one_that_was_meant(site: Site) -> None:
    """The cases above mean something only where sshd itself would have allowed it all."""
    settings = _effective(site.sshd)
    assert settings["disableforwarding"] == "no"
    assert settings["allowtcpforwarding"] == "yes"
    assert settings["permittty"] == "yes"


def _effective(sshd: Sshd) -> dict[str, str]:
    words = [find_sshd(), "-T", "-C", f"user={sshd.login},host=x,addr=127.0.0.1"]
    done = subprocess.run(
        [*words, "-f", str(sshd.folder / "sshd_config")], capture_output=True, check=True, text=True
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
