"""What is attacked: a client's repository, a server account and its authorized_keys in one folder.

The folder always has the same path, because authorized_keys names it: it is put there anew for each
case from what it held when it was made.
"""

import gc
import os
import re
import shlex
import shutil
import sqlite3
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msglog.account.keyfile
import msglog.folder
import msglog.sqlite_file
from msglog import backup
from msglog.account.authorized_keys import Entry, parse_line
from msglog.message import Message, decode_object
from msglog.refname import REMOTE_PREFIX
from msglog.repository import Repository
from porcelain.cli import main
from tests.msglog.account import keymaking as make
from tests.ssh.sshd import Sshd, User

SHARED, OURS, THEIRS = 10, 13, 14
BATCH = 4
"""How many messages a batch has: a transfer is of several."""

RIVAL = "rival"
"""How the bodies begin of what others add meanwhile."""

WHOLE_ANSWERS = """
from msglog.wire.connection import _Named
def shorten(self, speaker, event):
    self._note(speaker, event)
    return event
_Named.shorten = shorten
"""
"""So that what a server acknowledges can be read without what the client said."""

SMALL_BATCHES = f"import plumbing.outgoing; plumbing.outgoing.BATCH_MESSAGES_LIMIT = {BATCH}"
UNCHECKED_PROGRAM = "import porcelain.admin.place as place; place.check_starts = lambda _: None"

_GIVEN_UP = re.compile(r"\.msglog-dropped-[0-9a-f]{8}(/|$)|\.new-[0-9a-f]{8}(/|$)")
"""Where nobody looks for a repository any more, or yet."""

View = dict[str, frozenset[Any]]
"""What there is to lose: for each thing, such as a log, what is in it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    status: int
    output: str
    error: str


class Site:
    """A folder with all that is attacked; beside it what the commands need and nobody attacks."""

    def __init__(self, folder: Path) -> None:
        self.base = folder.resolve()
        self.person: User | None = None
        self.folder = self.base / "site"
        self.template = self.base / "template"
        self.program = self.base / "ssh"
        self.output = self.base / "out"
        self.errors = self.base / "err"
        self.plan = self.base / "plan"
        self.count = self.base / "count"
        self.wire = self.base / "wire"

    @property
    def account(self) -> Path:
        return self.folder / "server" / "account"

    @property
    def keys(self) -> Path:
        return self.folder / "server" / ".ssh" / "authorized_keys"

    @property
    def mine(self) -> Path:
        return self.folder / "client" / "mine"

    @property
    def bob(self) -> str:
        """The fingerprint of the key that bob has."""
        return make.key(2).fingerprint

    @property
    def empty_store(self) -> str:
        """Where another account may be made that is not in files: its address."""
        return ""

    def machine(self, path: str) -> str:
        """Return on which of the two machines a path lies."""
        return "server" if path.startswith(f"{self.folder}/server") else "client"

    # Making

    def make(self) -> None:
        """Make what each case begins with."""
        for part in ("client/mine", "client/home", "server/.ssh", "server/home"):
            (self.folder / part).mkdir(parents=True)
        self.keys.write_text("# by hand\nssh-ed25519 AAAAsomething nobody\n")
        self.serve()
        for key in (1, 2, 3):
            (self.base / f"{key}.pub").write_text(make.line(make.ed25519(key), f"n{key}"))
        place = ("--account", "server/account", "--authorized-keys", str(self.keys))
        self._make_account()
        for user in ("ann", "bob"):
            self._do(self.folder, "admin", "user", "add", user, "--role", "admin", *place[:2])
        self._do(self.folder, "admin", "key", "add", "ann", f"{self.base}/1.pub", *place)
        self._do(self.folder, "admin", "key", "add", "bob", f"{self.base}/2.pub", *place)
        self._do(self.mine, "init")
        self._do(self.mine, "remote", "add", "origin", "server")
        self._do(self.mine, "remote", "add", "near", str(self._served))
        self._do(self.mine, "config", "set", "user.author", "Ann")
        self._add("shared", SHARED)
        self._do(self.mine, "push", "near")
        self._add("ours", OURS)
        self._do(self.base, "init", "other")
        self._do(self.base / "other", "remote", "add", "near", str(self._served))
        self._do(self.base / "other", "pull", "near")
        self._add("theirs", THEIRS, self.base / "other")
        listed = self.run(self.base / "other", ("list", "--json"))
        (self.base / "messages.jsonl").write_text(listed.output)
        self._do(self.base / "other", "push", "near")
        for log in ("spare", "empty", "gone"):
            self._do(self.mine, "logs", "new", log)
        self._add("kept", 3, log="spare")
        for number in range(3):
            self._add(f"lost {number} ", 12, log="gone")
        self._do(self.mine, "logs", "delete", "gone", "--force")
        self._do(self.mine, "backup", "../kept.backup")
        self._add("since the backup", 2)
        self._do(self.folder, "admin", "backup", f"{self.base}/account.backup", *place[:2])
        self._keep()

    def _make_account(self) -> None:
        self._do(self.folder, "admin", "init", "server/account")

    def _keep(self) -> None:
        """Keep what was made as what each case begins with."""
        shutil.copytree(self.folder, self.template)

    def serve(self, patch: str = "") -> None:
        """Say what the server's process does first, beside keeping batches small."""
        words = [sys.executable, "-I", str(Path(__file__).with_name("serve.py"))]
        words += [
            f"{SMALL_BATCHES}\n{WHOLE_ANSWERS}\n{patch}",
            "receive-pack",
            "ann",
            "--account",
            str(self.account),
        ]
        words += ["--key", make.key(1).fingerprint]
        self.program.write_text(
            f'#!/bin/sh\nfor last; do :; done\nSSH_ORIGINAL_COMMAND="$last"\nHOME={self.folder}/server\n'
            f"export SSH_ORIGINAL_COMMAND HOME\nexec {shlex.join(words)}\n"
        )
        self.program.chmod(0o755)

    @property
    def _served(self) -> Path:
        return self.account / "repositories" / "main"

    def _add(self, name: str, count: int, folder: Path | None = None, log: str = "main") -> None:
        lines = "".join(f"{name} {number} {'x' * 60 * number}\n" for number in range(count))
        self._do(folder or self.mine, "add", "--batch", "--log", log, stdin=lines.encode())

    def _do(self, where: Path, *words: str, stdin: bytes = b"") -> None:
        done = self.run(where, words, stdin=stdin)
        assert done.status == 0, done

    def let_in(self, sshd: Sshd, user: User) -> None:
        """Have a user of a real sshd served here, by a process that can be attacked."""
        server = Path(__file__).with_name("behind_sshd.py")
        words = [sys.executable, "-I", str(server), str(self.base), "receive-pack", "ann"]
        words += ["--account", str(self.account), "--key", make.key(1).fingerprint]
        sshd.authorize(user, shlex.join(words))

    def restore(self) -> None:
        """Put everything as it was made."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)

    def settle(self) -> None:
        """Wait until nothing goes on any more of what was attacked and is over."""

    # Running and looking

    @property
    def environment(self) -> dict[str, str]:
        common = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        if self.person is not None:
            return {**common, "HOME": str(self.person.home)}
        home = str(self.folder / "client" / "home")
        return {**common, "HOME": home, "MSGLOG_SSH_COMMAND": str(self.program)}

    def run(self, where: Path, words: tuple[str, ...], *, stdin: bytes = b"") -> Done:
        """Run a command in this process."""
        output, error = BytesIO(), BytesIO()
        with quick():
            status = main(
                ["-C", str(where), *words], self.environment, BytesIO(stdin), output, error
            )
        gc.collect()  # an error keeps what is open, as the end of a process does not
        return Done(status, output.getvalue().decode(), error.getvalue().decode())

    def stores(self) -> list[Path]:
        """Return the folders of all repositories."""
        return sorted(path.parent for path in self._found("store.db"))

    def _found(self, pattern: str) -> Iterator[Path]:
        """Yield the files that anybody would look for."""
        for path in self.folder.rglob(pattern):
            if not _GIVEN_UP.search(str(path)):
                yield path

    def verify(self) -> Iterator[str]:
        """Yield what is damaged."""
        for folder in self.stores():
            environment = {**self.environment, "MSGLOG_DIR": str(folder)}
            output, error = BytesIO(), BytesIO()
            status = main(["verify"], environment, BytesIO(), output, error)
            if status != 0:
                said = (output.getvalue() + error.getvalue()).decode().strip()
                yield f"verify of {self._short(folder)} says {said}"
        for account in self._found("account.db"):
            with closing(sqlite3.connect(account)) as database:
                found = database.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                yield f"{self._short(account)} is damaged: {found}"

    def look(self) -> View:
        """Return what there is, of which nothing that was acknowledged may ever be missing."""
        view: View = {}
        for folder in self.stores():
            with closing(Repository.open(folder)) as repository:
                for log in repository.logs():
                    name = f"log {log.name} of {self._short(folder)}"
                    view[name] = _numbered(bodies(repository, log.root))
                tracking = repository.store.refs(REMOTE_PREFIX)
                view[f"remotes of {self._short(folder)}"] = frozenset(tracking)
        for file in self._found("config.toml"):
            try:
                table = tomllib.loads(file.read_text())
            except ValueError:
                table = {"not": "TOML"}
            table.pop("tool", None)  # where rivals write
            view[f"settings {self._short(file)}"] = frozenset(_flat(table))
        for account in self._found("account.db"):
            with closing(sqlite3.connect(account)) as database:
                users = database.execute("SELECT name, role FROM users").fetchall()
                keys = database.execute("SELECT fingerprint, user FROM keys").fetchall()
            view[f"account {self._short(account)}"] = frozenset([*users, *keys])
        for file in self._found("*.backup"):
            view[f"backup {self._short(file)}"] = frozenset(self._in_backup(file))
        if self.keys.exists():
            lines = self.keys.read_bytes().splitlines(keepends=True)
            view["authorized_keys"] = _numbered(
                [one for one in lines if isinstance(parse_line(1, one.rstrip(b"\n")), Entry)]
            )
        return view

    def _in_backup(self, file: Path) -> Iterator[Any]:
        words = ("restore",) if "server" not in file.parts else ("admin", "restore")
        done = self.run(self.folder, (*words, "--dry-run", str(file)))
        if done.status != 0:
            yield done.error
            return
        with TemporaryDirectory() as folder, file.open("rb") as archive:
            _, names = backup.unpack(archive, folder, label=file.name)
            for name in names:
                if name.endswith("store.db"):
                    with closing(Repository.open(Path(folder, name).parent)) as repository:
                        for log in repository.logs():
                            yield name, log.name, _numbered(bodies(repository, log.root))

    def rivals(self) -> set[str]:
        """Return what others have added meanwhile."""
        found: set[str] = set()
        for folder in self.stores():
            with closing(Repository.open(folder)) as repository:
                for log in repository.logs():
                    found.update(bodies(repository, log.root, rivals=True))
        return found

    def files(self) -> set[str]:
        """Return the names of all files."""
        return {self._short(path) for path in self.folder.rglob("*")}

    def _short(self, path: Path) -> str:
        return str(path.relative_to(self.folder))


def bodies(repository: Repository, root: Any, *, rivals: bool = False) -> list[str]:
    """Return the bodies below a root: those of others who came meanwhile, or the rest."""
    keys = list(repository.keys(root))
    found = [decode_object(data) for _, data in repository.messages(iter(keys))]
    texts = [one.body for one in found if isinstance(one, Message)]
    assert len(texts) == len(keys)
    return [text for text in texts if text.startswith(RIVAL) == rivals]


def _numbered(items: Any) -> frozenset[Any]:
    """Return a set that tells how often there is what."""
    counts: Counter[Any] = Counter()
    found = [("there", 0)]
    for item in items:
        counts[item] += 1
        found.append((item, counts[item]))
    return frozenset(found)


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@contextmanager
def quick(seconds: float = 2.0) -> Iterator[None]:
    """Wait only so long for what others have locked."""
    before = msglog.sqlite_file.BUSY_SECONDS
    defaults: dict[str, Any] = msglog.account.keyfile.rewrite.__kwdefaults__ or {}
    lock = defaults["lock_seconds"]
    folder = msglog.folder.LOCK_SECONDS
    msglog.sqlite_file.BUSY_SECONDS = defaults["lock_seconds"] = seconds
    msglog.folder.LOCK_SECONDS = seconds
    try:
        yield
    finally:
        msglog.sqlite_file.BUSY_SECONDS, defaults["lock_seconds"] = before, lock
        msglog.folder.LOCK_SECONDS = folder
