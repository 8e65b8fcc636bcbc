"""The command line of ssh, and what becomes of programs that are none."""

import sys
from pathlib import Path

import pytest

from msglog.errors import UsageError
from plumbing.session import Session
from plumbing.transport.channel import TURNED_AWAY, ChannelError, ConnectError
from plumbing.transport.openssh import connect_openssh, ssh_arguments
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url

COMMAND = "msglog receive-pack"


def settings(*, ssh_command: str = "", terminal: bool = False) -> Settings:
    return Settings(
        home=Path("/home/ann"),
        login="ann",
        ssh_command=ssh_command,
        terminal=terminal,
        connect_seconds=0.2,
        idle_seconds=10.0,
    )


def test_the_usual_command_line() -> None:
    url = parse_url("ssh://ann@host:2222/ops")
    words = ssh_arguments(url, COMMAND, settings(), config_file=Path("/c"))
    assert words[:3] == ["ssh", "-F", "/c"]
    assert words[-5:] == ["-p", "2222", "--", "ann@host", COMMAND]
    options = {word for word in words if "=" in word}
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=1"} <= options
    assert {"-T", "-a", "-x"} <= set(words)


def test_on_a_terminal_ssh_may_ask() -> None:
    words = ssh_arguments(parse_url("host"), COMMAND, settings(terminal=True))
    assert {"BatchMode=no", "StrictHostKeyChecking=ask"} <= set(words)
    assert words[-3:] == ["--", "host", COMMAND]


def test_options_of_the_users_own_come_first_and_win() -> None:
    words = ssh_arguments(
        parse_url("host"), COMMAND, settings(ssh_command="/usr/bin/ssh -o 'BatchMode=no' -v")
    )
    assert words[:4] == ["/usr/bin/ssh", "-o", "BatchMode=no", "-v"]
    assert words.index("BatchMode=no") < words.index("BatchMode=yes")


def test_another_program_gets_the_port_the_host_and_the_command() -> None:
    words = ssh_arguments(
        parse_url("ssh://ann@host:99"), COMMAND, settings(ssh_command="my-ssh --fast")
    )
    assert words == ["my-ssh", "--fast", "-p", "99", "ann@host", COMMAND]


@pytest.mark.parametrize("command", ["ssh 'open", "''"[:0] + " ", "#"])
def test_commands_that_are_none(command: str) -> None:
    if command == "#":
        with pytest.raises(ChannelError, match="cannot run #"):
            connect_openssh(parse_url("host"), COMMAND, settings(ssh_command=command))
        return
    with pytest.raises(UsageError):
        ssh_arguments(parse_url("host"), COMMAND, settings(ssh_command=command))


def test_a_program_that_does_not_exist() -> None:
    with pytest.raises(ChannelError, match=r"cannot run /nowhere/ssh \(No such file") as caught:
        connect_openssh(parse_url("host"), COMMAND, settings(ssh_command="/nowhere/ssh"))
    assert caught.value.exit_status == 4


def program(tmp_path: Path, body: str) -> str:
    path = tmp_path / "program.py"
    path.write_text(f"import os, sys, signal\n{body}\n")
    return f"{sys.executable} {path}"


def test_a_failure_of_ssh_is_told_in_its_words(tmp_path: Path) -> None:
    body = "os.write(2, b'noise\\none\\n\\ntwo\\nthree\\n'); sys.exit(255)"
    channel = connect_openssh(
        parse_url("ann@host"), COMMAND, settings(ssh_command=program(tmp_path, body))
    )
    with pytest.raises(ChannelError) as caught:
        channel.receive()
    assert str(caught.value) == "ssh cannot reach ann@host (one; two; three)."
    channel.close()


def test_a_connection_lost_later_is_told_as_such(tmp_path: Path) -> None:
    body = "os.write(1, b'hello'); os.write(2, b'Broken pipe\\n'); sys.exit(255)"
    channel = connect_openssh(
        parse_url("host"), COMMAND, settings(ssh_command=program(tmp_path, body))
    )
    assert channel.receive() == b"hello"
    with pytest.raises(ChannelError, match=r"was lost \(Broken pipe\)"):
        channel.receive()
    channel.close()


def test_another_status_is_the_remote_commands_own(tmp_path: Path) -> None:
    channel = connect_openssh(
        parse_url("host"), COMMAND, settings(ssh_command=program(tmp_path, "sys.exit(3)"))
    )
    assert channel.receive() == b""
    channel.close()


def test_a_program_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbing.transport.openssh.EXIT_SECONDS", 0.2)
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(1, b'x'); signal.pause()"
    channel = connect_openssh(
        parse_url("host"), COMMAND, settings(ssh_command=program(tmp_path, body))
    )
    assert channel.receive() == b"x"
    channel.close()
    assert channel._process.returncode == -9


def test_the_command_and_the_url_reach_the_program_as_they_are(tmp_path: Path) -> None:
    body = "os.write(1, '\\n'.join(sys.argv[1:]).encode())"
    channel = connect_openssh(
        parse_url("ann@host"),
        "msglog receive-pack --direct '/srv/$(id)'",
        settings(ssh_command=program(tmp_path, body)),
    )
    assert channel.receive() == b"ann@host\nmsglog receive-pack --direct '/srv/$(id)'"
    channel.close()


@pytest.mark.parametrize(
    ("said", "temporary"),
    [
        ("ssh: connect to host h port 22: Connection refused", True),
        ("ssh: Could not resolve hostname h: Temporary failure in name resolution", True),
        ("kex_exchange_identification: Connection closed by remote host", True),
        ("Connection closed by 192.0.2.1 port 22", True),
        ("ann@h: Permission denied (publickey).", False),
        ("Host key verification failed.", False),
        ("Received disconnect from h: 2: Too many authentication failures", False),
    ],
)
def test_what_ssh_cannot_reach_is_not_called_a_host_without_msglog(
    tmp_path: Path, said: str, *, temporary: bool
) -> None:
    ssh = settings(ssh_command=program(tmp_path, f"os.write(2, {said!r}.encode()); sys.exit(255)"))
    with pytest.raises(ConnectError) as caught:
        Session(lambda _: connect_openssh(parse_url("ann@h"), COMMAND, ssh))
    assert str(caught.value).startswith(f"ssh cannot reach ann@h ({said.removesuffix('.')}).")
    assert caught.value.hint == (TURNED_AWAY if "onnection closed by" in said else "")
    assert caught.value.temporary is temporary


@pytest.mark.parametrize("named", ["-F mine", "-Fmine", "-4vF mine"])
def test_a_command_that_names_its_configuration_keeps_it(named: str) -> None:
    there = Path("/home/ann/.ssh/config")
    url, with_own = parse_url("host"), settings(ssh_command=f"ssh {named}")
    assert str(there) not in ssh_arguments(url, COMMAND, with_own, config_file=there)
    plain = ssh_arguments(
        url, COMMAND, settings(ssh_command="ssh -4 -o Foo=yes"), config_file=there
    )
    assert plain[plain.index("-F") + 1] == str(there)
