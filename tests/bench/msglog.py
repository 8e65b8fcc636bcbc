"""msglog itself, as installed: its console script, and a server account behind a forced command."""

import compileall
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import ClassVar

from msglog.account.account import Account
from msglog.account.publickey import parse_public_keys
from msglog.account.role import Role
from msglog.key import Key, make_key
from msglog.message import Message
from msglog.objectid import object_id
from msglog.repository import Repository
from tests.bench.command import Command, Commands, run
from tests.bench.corpus import LOGS, Entry
from tests.bench.peer import base_environment, occupied
from tests.bench.site import LINKS, Site

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("msglog")
BATCH = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Msglog:
    """See `Peer`."""

    name: ClassVar[str] = "msglog"
    packages: ClassVar[Mapping[str, str]] = {}
    durability: ClassVar[str] = (
        "SQLite with synchronous=FULL: what add prints and what a server acknowledges is on the disk"
    )

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder
        folder.mkdir(parents=True)
        user = site.make_user(f"msglog-{folder.parent.name}")
        self.ssh_config = user.config
        self._environment = {**base_environment(user.home), "MSGLOG_AUTHOR": "ann"}
        self._client = folder / "client"
        self._client.mkdir()
        self._account = folder / "account"
        keys = folder / "authorized_keys"
        self._admin("init")
        self._admin("user", "add", "ann", "--role", "write")
        place = ("--authorized-keys", str(keys))
        self._admin("key", "add", "ann", f"{user.key}.pub", *place)
        for line in keys.read_text().splitlines():
            if "ssh-ed25519 " in line and not line.startswith("#"):
                site.admit(line)

    def begin(self) -> None:
        """Make the client's repository."""
        run(self._msglog("init", "-q"))

    def fill(self, entries: Iterable[Entry]) -> None:
        """Put in what `add --batch --json` would, by the library: that takes a third of the time."""
        self.begin()
        repository = Repository.open(self.repository)
        try:
            for log in LOGS:
                if log != "main":
                    repository.create_log(log, time=0)
            rest = iter(entries)
            while part := list(islice(rest, BATCH)):
                for log in LOGS:
                    messages = dict(_message(entry) for entry in part if entry.log == log)
                    if messages:
                        repository.add(log, messages, time=0)
        finally:
            repository.close()
        run(self._msglog("gc", "-q"))

    def fill_by_command(self, entries: Iterable[Entry], log: str) -> Commands:
        """Return the command that puts entries into one log; it reads the file that is written here."""
        lines = self._folder / "lines"
        lines.write_bytes(b"".join(map(json_line, entries)))
        words = f"exec {SCRIPT} add -q --batch --json --log {log} < {lines}"
        return [Command(("sh", "-c", words), self._client, self._environment)]

    def make_server(self, place: str) -> None:
        self._admin("repository", "add", place)
        self._admin("grant", "ann", "write", place, "*")

    @property
    def repository(self) -> Path:
        return self._client / ".msglog"

    def server(self, place: str) -> Path:
        return self._account / "repositories" / place

    def run(self, *words: str) -> Command:
        """Return a command in the client's repository."""
        return self._msglog(*words)

    def push_all(self, link: str, place: str) -> Commands:
        return [self._msglog("push", "-q", f"{link}:{place}")]

    def connect(self, place: str) -> None:
        self._admin("gc", "-q", place)
        for link in LINKS:
            run(self._msglog("remote", "add", link, f"{link}:{place}"))

    def clone(self, link: str, place: str, into: Path) -> Commands:
        return [self._msglog("clone", "-q", f"{link}:{place}", str(into))]

    def pull_into(self, link: str, place: str, into: Path) -> Commands:
        """Make an empty repository now, and return the command that pulls everything into it."""
        into.mkdir()
        run(Command((str(SCRIPT), "init", "-q"), into, self._environment))
        words = (str(SCRIPT), "pull", "-q", f"{link}:{place}")
        return [Command(words, into, self._environment)]

    def add(self, body: str) -> Commands:
        return [self._msglog("add", "-q", "-m", body)]

    def push(self, link: str) -> Commands:
        return [self._msglog("push", "-q", link)]

    def pull(self, link: str) -> Commands:
        return [self._msglog("pull", "-q", link)]

    def newest(self, count: int) -> Commands:
        return [self._msglog("list", "-n", str(count))]

    def list_all(self) -> Commands:
        return [self._msglog("list")]

    def server_bytes(self, place: str) -> int:
        self._admin("gc", "-q", place)
        return occupied(self.server(place))

    def at_server(self, place: str, *words: str) -> Command:
        """Return a command in a server's repository, run there by its administrator."""
        environment = {**self._environment, "MSGLOG_DIR": str(self.server(place))}
        return Command((str(SCRIPT), *words), self._folder, environment)

    @contextmanager
    def using_openssh(self) -> Iterator[None]:
        """Have the client start ssh instead of connecting by itself, until the block ends."""
        run(self._msglog("config", "set", "ssh.transport", "openssh"))
        try:
            yield
        finally:
            run(self._msglog("config", "unset", "ssh.transport"))

    def others(self, number: int) -> list["Msglog"]:
        """Return more clients, each a user with a key of its own and a copy of the repository."""
        made = []
        account = Account.open(self._account)
        keys = self._folder / "authorized_keys"
        try:
            for position in range(number):
                name = f"client{position}"
                user = self._site.make_user(f"{self._folder.name}-{name}")
                account.add_user(name, Role.WRITE, time=0)
                account.add_keys(name, parse_public_keys(user.public_key.encode()), time=0)
                copy = object.__new__(Msglog)
                copy._site, copy._folder, copy._account = self._site, self._folder, self._account
                copy._environment = {**base_environment(user.home), "MSGLOG_AUTHOR": name}
                copy._client, copy.ssh_config = self._folder / name, user.config
                shutil.copytree(self._client, copy._client)
                made.append(copy)
        finally:
            account.close()
        self._admin("key", "sync", "--authorized-keys", str(keys))
        for line in keys.read_text().splitlines():
            if "receive-pack client" in line:
                self._site.admit(line)
        return made

    def _admin(self, *words: str) -> None:
        run(self._msglog("admin", *words, "--account", str(self._account)))

    def _msglog(self, *words: str) -> Command:
        return Command((str(SCRIPT), *words), self._client, self._environment)


def compile_all() -> None:
    """Leave .pyc files of every module, as an installer does."""
    for package in ("msglog", "plumbing", "porcelain"):
        compileall.compile_dir(ROOT / package, quiet=1)


def _message(entry: Entry) -> tuple[Key, bytes]:
    data = Message(entry.uuid, entry.time, 0, entry.author, entry.body).encode()
    return make_key(entry.time, object_id(data)), data


def json_line(entry: Entry) -> bytes:
    """Return a message as `add --batch --json` reads it."""
    moment = _EPOCH + timedelta(microseconds=entry.time)
    record = {
        "time": moment.isoformat(),
        "uuid": entry.uuid.hex(),
        "author": entry.author,
        "body": entry.body,
    }
    return json.dumps(record).encode() + b"\n"


def empty_script(folder: Path) -> Command:
    """Make a console script that does nothing: the least that any such program takes."""
    (folder / "nothing.py").write_text("def run() -> int:\n    return 0\n")
    script = folder / "empty"
    script.write_text(
        f"#!{sys.executable}\nimport sys\n\nfrom nothing import run\n\n"
        "if __name__ == '__main__':\n    sys.exit(run())\n"
    )
    script.chmod(0o755)
    return Command((str(script),), folder, base_environment(folder))
