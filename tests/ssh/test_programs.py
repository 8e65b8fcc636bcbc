"""Programs over a real sshd: `import msglog` with keys and ssh_config of a home."""

import os
import sys
import threading
from pathlib import Path

import pytest

import msglog
from msglog.repository import Repository
from porcelain.surroundings import ProcessSurroundings
from tests.ssh.sshd import Sshd, User

MSGLOG = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]


def around(user: User) -> ProcessSurroundings:
    return ProcessSurroundings({"HOME": str(user.home), "PATH": os.environ["PATH"]})


@pytest.fixture
def server(tmp_path: Path) -> Path:
    folder = tmp_path / "server"
    Repository.create(folder, identity=os.urandom(16), time=0).close()
    return folder


def test_two_programs_share_a_log_while_one_of_them_adds(
    sshd: Sshd, server: Path, tmp_path: Path
) -> None:
    ann, bob = sshd.make_user("ann-program"), sshd.make_user("bob-program")
    command = " ".join([*MSGLOG, "receive-pack", "--direct", str(server)])
    for user in (ann, bob):
        sshd.authorize(user, command)
    with msglog.init(tmp_path / "ann", author="ann", surroundings=around(ann)) as book:
        book.add_many([str(number) for number in range(500)])
        book.add_remote("origin", "server")
        done = threading.Event()

        def add() -> None:
            while not done.is_set():
                book.add("meanwhile")

        adding = threading.Thread(target=add)
        adding.start()
        try:
            (first,) = book.push()
        finally:
            done.set()
            adding.join()
        (rest,) = book.push()
        assert first.pushed >= 500
        assert first.pushed + rest.pushed == book.log().count() == rest.count
        root = book.log().root
    with msglog.clone("server", tmp_path / "bob", surroundings=around(bob)) as copy:
        assert copy.log().root == root
        assert copy.log().received_since("1 hour ago").count() == rest.count


def test_whom_the_server_does_not_know(sshd: Sshd, tmp_path: Path) -> None:
    stranger = sshd.make_user("stranger-program")
    with msglog.init(tmp_path / "notes", surroundings=around(stranger)) as book:
        with pytest.raises(msglog.RemoteError, match="does not let us in"):
            book.pull("server@server")
        stranger.known_hosts.write_text("")
        with pytest.raises(msglog.RemoteError, match="is not known"):
            book.pull("server@server")
