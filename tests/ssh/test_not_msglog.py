"""What a user is told when the account at the other end is not a msglog server."""

import pytest

from tests.ssh.sshd import Sshd
from tests.ssh.test_exchange import NUMBERS, Person

REMOTES = [
    ("echo 'Welcome to the cluster'; cat", "Welcome to the cluster"),
    ("exit 7", "it closed the connection without a greeting"),
    ("echo 'msglog: command not found' >&2; exit 127", "command not found"),
    ("printf 'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'", "HTTP/1.1 400 Bad Request"),
    ("printf '000cmsglog 9'", "version '9'"),
    ("while echo flood; do :; done", "flood"),
]


@pytest.mark.parametrize("transport", ["ssh", "openssh"])
@pytest.mark.parametrize(("command", "says"), REMOTES)
def test_one_clear_line_and_exit_status_4(
    sshd: Sshd, transport: str, command: str, says: str
) -> None:
    user = sshd.make_user(f"stranger{next(NUMBERS)}")
    sshd.authorize(user, command)
    ssh_command = f"ssh -F {user.config}" if transport == "openssh" else ""
    person = Person(user.name, user.home, "server", ssh_command)
    person.msglog("init")
    person.msglog("add", "mine")
    person.msglog("remote", "add", "origin", "server")
    for word in ("push", "pull"):
        done = person.run(word)
        assert done.returncode == 4, done.stderr
        assert done.stderr.count(b"\n") == 1
        assert done.stderr.startswith(b"msglog: error: ")
        assert says in done.stderr.decode()
    person.msglog("verify")


def test_an_ordinary_shell_is_not_given_messages_to_run(sshd: Sshd) -> None:
    user = sshd.make_user(f"stranger{next(NUMBERS)}")
    sshd.authorize(user, None)
    person = Person(user.name, user.home, "server")
    person.msglog("init")
    person.msglog("add", f"touch {user.home}/harm")
    person.msglog("remote", "add", "origin", "server")
    assert person.run("push").returncode == 4
    assert not (user.home / "harm").exists()
