"""Many commands over one login: an OpenSSH master, and the rounds of one `sync --every`."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from msglog.errors import NotAuthorisedError
from plumbing.context import Context
from porcelain import sync
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.test_exchange import Person, Site, make_site

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "many-commands.md"


@dataclass
class Mastered:
    """A person whose ssh_config has the block of the guide, with sockets in a folder of its own."""

    person: Person
    sockets: Path

    @property
    def socket(self) -> Path:
        (found,) = self.sockets.iterdir()
        return found

    def control(self, word: str) -> subprocess.CompletedProcess[str]:
        config = self.person.home / ".ssh" / "config"
        words = ["ssh", "-F", str(config), "-O", word, "server"]
        return subprocess.run(words, check=False, capture_output=True, text=True)

    def master(self) -> int:
        match = re.search(r"pid=(\d+)", self.control("check").stderr)
        assert match is not None
        return int(match[1])


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def site(sshd: Sshd, tmp_path: Path, account_store: AccountStore) -> Site:
    return make_site(sshd, tmp_path, "ssh", account_store)


@pytest.fixture
def ann(site: Site) -> Iterator[Mastered]:
    person = site.person("write")
    with contextlib.ExitStack() as stack:
        # pytest's own folders have names too long for a socket.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="m")))
        block = re.search(r"^    Host work\n((?:        .*\n)+)", GUIDE.read_text(), re.MULTILINE)
        assert block is not None
        lines = [line for line in block[1].splitlines(keepends=True) if "Control" in line]
        assert len(lines) == 3
        config = person.home / ".ssh" / "config"
        head, _, rest = config.read_text().partition("\n")
        shared = "".join(lines).replace("~/.ssh/sockets", str(folder))
        config.write_text(f"{head}\n{shared}{rest}")
        mastered = Mastered(person, folder)
        yield mastered
        mastered.control("exit")


def logins(site: Site) -> int:
    return site.sshd.log.count("Accepted publickey")


def test_several_commands_log_in_once(site: Site, ann: Mastered) -> None:
    before = logins(site)
    ann.person.msglog("add", "one")
    for words in (["push"], ["pull"], ["sync"], ["fetch"], ["ls-remote", "origin"]):
        ann.person.msglog(*words)
    assert logins(site) == before + 1
    assert ann.socket.stat().st_mode & 0o077 == 0


@pytest.mark.both_stores
def test_an_open_master_does_not_outlive_what_its_user_may_do(site: Site, ann: Mastered) -> None:
    ann.person.msglog("add", "one")
    ann.person.msglog("push")
    before = logins(site)
    site.admin("user", "remove", ann.person.name)
    site.admin("key", "sync")
    assert "ssh-ed25519" not in site.sshd.authorized_keys.read_text()
    ann.master()  # it is there still: sshd does not ask for the key again
    for words in (["pull"], ["push"], ["ls-remote", "origin"]):
        refused = ann.person.run(*words)
        assert refused.returncode == 3, refused.stderr
        assert b"not authorised" in refused.stderr
    assert logins(site) == before


def test_a_session_over_a_master_is_nothing_but_the_forced_command(ann: Mastered) -> None:
    ann.person.msglog("pull")
    config = ann.person.home / ".ssh" / "config"
    words = ["ssh", "-F", str(config), "server", "id"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "uid=" not in done.stdout
    assert "runs msglog and nothing else" in done.stderr


def test_what_a_killed_master_left_behind_stops_nothing(site: Site, ann: Mastered) -> None:
    ann.person.msglog("pull")
    socket = ann.socket
    master = ann.master()
    descriptor = os.pidfd_open(master)
    os.kill(master, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
    os.close(descriptor)
    assert socket.exists()
    before = logins(site)
    ann.person.msglog("add", "one")
    ann.person.msglog("push")
    ann.person.msglog("pull")
    assert logins(site) == before + 1


def repeat(person: Person, then: list[Callable[[], object]], ssh_command: str) -> tuple[str, str]:
    """Run `sync --every` in this process, with something happening in place of each wait."""
    out, error = BytesIO(), BytesIO()
    waits = iter(then)

    def sleep(_: float) -> None:
        next(waits)()

    context = Context(
        directory=str(person.home),
        home=str(person.home),
        stdin=BytesIO(),
        stdout=out,
        stderr=error,
        ssh_command=ssh_command or None,
        login="ann",
        sleep=sleep,
        environment={"HOME": str(person.home), "PATH": os.environ["PATH"]},
    )
    arguments = Namespace(remote="origin", logs=[], dry_run=False, every="30s")
    with pytest.raises((NotAuthorisedError, KeyboardInterrupt)) as caught:
        sync.run(arguments, context)
    return type(caught.value).__name__, out.getvalue().decode() + error.getvalue().decode()


@pytest.mark.parametrize("transport", ["ssh", "openssh"])
def test_rounds_log_in_once_and_end_with_the_right(site: Site, transport: str) -> None:
    ann, bob = site.person("write"), site.person("write")
    command = f"ssh -F {ann.home}/.ssh/config" if transport == "openssh" else ""
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: ann.msglog("add", "from here"),
        lambda: bob.msglog("pull"),
        lambda: (bob.msglog("add", "from there"), bob.msglog("push")),
        lambda: None,
    ]
    seen: list[int] = []
    steps = [
        *steps,
        lambda: seen.append(logins(site)),
        lambda: site.admin("user", "remove", ann.name),
    ]
    before = logins(site)
    ended, said = repeat(ann, steps, command)
    assert seen == [before + 3]  # ann once, bob twice
    assert ended in ("RemoteRefusedError", "NotAuthorisedError")
    first, second = said.splitlines()
    assert first.startswith("origin main: 0 pulled, 1 pushed, 1 in all")
    assert second.startswith("origin main: 1 pulled, 0 pushed, 2 in all")


def test_a_server_that_went_away_between_rounds_is_met_again_without_a_word(site: Site) -> None:
    ann = site.person("write")

    def end_sessions() -> None:
        ann.msglog("add", "one more")
        words = ["pgrep", "-f", f"receive-pack {ann.name} .*--account {site.account}"]
        found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        for one in found:
            os.kill(int(one), signal.SIGKILL)

    def stop() -> None:
        raise KeyboardInterrupt

    ended, said = repeat(ann, [end_sessions, end_sessions, stop], "")
    assert ended == "KeyboardInterrupt"
    assert [line.split(",")[1] for line in said.splitlines()] == [" 1 pushed", " 1 pushed"]
