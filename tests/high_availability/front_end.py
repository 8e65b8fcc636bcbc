"""Front ends: each an sshd with an account folder of its own, all over one database.

sshd has the settings of docs/deploy/postgresql, and asks msglog about each key: there is no file of keys to differ.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.high_availability.pushers import Pusher
from tests.ssh.asking import PROGRAM, login
from tests.ssh.sshd import USER_CONFIG, Sshd, User, running_sshd, shuts_out

_SETTINGS = Path(__file__).parents[2] / "docs/deploy/postgresql/sshd_config.d"
RECIPE = _SETTINGS / "60-msglog.conf"
PENALTIES = _SETTINGS / "61-msglog-penalties.conf"
INSTALLED = "/opt/pipx/venvs/msglog/bin/python -I /opt/pipx/venvs/msglog/bin/msglog"
SECONDS = 120.0


class AdminError(Exception):
    """A command of the administrator's failed."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A running sshd, and the folder of its account."""

    sshd: Sshd
    account: Path

    def admin(self, *words: str) -> str:
        """Run `msglog admin` in this front end's account; raises AdminError."""
        done = run_admin(self.account, *words)
        if done.returncode:
            raise AdminError(done.stderr.decode())
        return done.stdout.decode()

    def address(self, user: User) -> str:
        """Have a user's ssh_config know this front end; return the URL of its repository `main`."""
        name = f"front{self.sshd.port}"
        text = USER_CONFIG.format(port=self.sshd.port, login=self.sshd.login, home=user.home)
        with user.config.open("a") as config:
            config.write("\n" + text.replace("Host server", f"Host {name}"))
        with user.known_hosts.open("a") as hosts:
            hosts.write(f"[127.0.0.1]:{self.sshd.port} {self.sshd.host_key}\n")
        return name


def run_admin(
    account: Path, *words: str, seconds: float | None = SECONDS
) -> "subprocess.CompletedProcess[bytes]":
    """Run `msglog admin` as whoever has the account; seconds: how long at most, None for ever."""
    place = ["--account", str(account), "--authorized-keys", str(account.parent / "unread")]
    environment = {"HOME": str(account.parent), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [*PROGRAM, "admin", *words, *place],
        env=environment,
        capture_output=True,
        timeout=seconds,
        check=False,
    )


def make_account(folder: Path, store: str | None) -> Path:
    """Make an account in SQLite, or one that takes part in a database; raises AdminError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = folder / "account"
    words = ["init"] if store is None else ["init", "--store", store]
    done = run_admin(account, *words)
    if done.returncode:
        raise AdminError(done.stderr.decode())
    return account


def recipe(account: Path, program: Sequence[str], grace: int | None) -> str:
    """Return the recipe's file for sshd, for this account, UNIX account and program."""
    text = RECIPE.read_text()
    changes = {
        f"{INSTALLED} authorized-keys %u %f": (
            f"{' '.join(program)} authorized-keys %u %f --account {account}"
        ),
        "AuthorizedKeysCommandUser server": f"AuthorizedKeysCommandUser {login()}",
        "Match User server": f"Match User {login()}",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return (
        text if grace is None else re.sub("(?m)^LoginGraceTime .*", f"LoginGraceTime {grace}", text)
    )


@contextlib.contextmanager
def front_end(
    folder: Path,
    store: str | None,
    *,
    account: Path | None = None,
    program: Sequence[str] = PROGRAM,
    grace: int | None = None,
) -> Iterator[FrontEnd]:
    """Run a front end until the block ends. store: a connection string, or None for SQLite.

    account: one that is there already, which several sshds of one host share. program: how sshd
    starts msglog. grace: the seconds of LoginGraceTime, if not the recipe's.
    """
    found = account or make_account(folder, store)
    settings = folder / "60-msglog.conf"
    settings.write_text(recipe(found, program, grace))
    # Sessions find nothing of whoever runs the tests: no .pgpass, no .bashrc.
    lines = [f"SetEnv HOME={found.parent}"]
    include = [f"Include {settings}"]
    if shuts_out():
        include.append(f"Include {PENALTIES}")
    with running_sshd(folder / "sshd", extra=lines, first=include, limits=()) as sshd:
        yield FrontEnd(sshd, found)


def make_person(front: FrontEnd, name: str, role: str = "write") -> User:
    """Make a user with a key, in the database and with a home of their own."""
    user = front.sshd.make_user(name)
    front.admin("user", "add", name, "--role", role)
    front.admin("key", "add", name, f"{user.key}.pub")
    return user


def make_pusher(user: User, url: str, folder: Path | None = None) -> Pusher:
    """Return a client with a new repository, in the user's home or elsewhere, and its remote `origin`."""
    environment = {"HOME": str(user.home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    environment["MSGLOG_AUTHOR"] = user.name
    pusher = Pusher(user.name, PROGRAM[1:], folder or user.home, environment)
    for words in (("init", "-q"), ("remote", "add", "origin", url)):
        command = pusher.command(*words)
        subprocess.run(command.words, cwd=command.folder, env=command.environment, check=True)
    return pusher


def make_pushers(fronts: Sequence[FrontEnd], count: int) -> list[Pusher]:
    """Return clients, each of which goes to one front end; they are users of all."""
    made = []
    for number in range(count):
        user = make_person(fronts[0], f"client{number}")
        made.append(make_pusher(user, fronts[number % len(fronts)].address(user)))
    return made
