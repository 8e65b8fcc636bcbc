"""msglog itself, as installed: its console script, and a server account behind a forced command."""

import compileall
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import ClassVar

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
        self._folder = folder
        folder.mkdir(parents=True)
        user = site.make_user(f"msglog-{folder.parent.name}")
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

    def fill(self, entries: Iterable[Entry]) -> None:
        run(self._msglog("init", "-q"))
        for log in LOGS:
            if log != "main":
                run(self._msglog("logs", "new", log))
        rest = iter(entries)
        while part := list(islice(rest, BATCH)):
            for log in LOGS:
                if lines := [_line(entry) for entry in part if entry.log == log]:
                    words = ("add", "-q", "--batch", "--json", "--log", log)
                    run(self._msglog(*words), stdin=lines)
        run(self._msglog("gc", "-q"))

    def make_server(self, place: str) -> None:
        self._admin("repository", "add", place)
        self._admin("grant", "ann", "write", place, "*")

    def push_all(self, link: str, place: str) -> Commands:
        return [self._msglog("push", "-q", f"{link}:{place}")]

    def connect(self, place: str) -> None:
        self._admin("gc", "-q", place)
        for link in LINKS:
            run(self._msglog("remote", "add", link, f"{link}:{place}"))

    def clone(self, link: str, place: str, into: Path) -> Commands:
        return [self._msglog("clone", "-q", f"{link}:{place}", str(into))]

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
        return occupied(self._account / "repositories" / place)

    def _admin(self, *words: str) -> None:
        run(self._msglog("admin", *words, "--account", str(self._account)))

    def _msglog(self, *words: str) -> Command:
        return Command((str(SCRIPT), *words), self._client, self._environment)


def compile_all() -> None:
    """Leave .pyc files of every module, as an installer does."""
    for package in ("msglog", "plumbing", "porcelain"):
        compileall.compile_dir(ROOT / package, quiet=1)


def _line(entry: Entry) -> bytes:
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
