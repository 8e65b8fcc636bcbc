"""muchsync: mails as messages, a maildir with a notmuch database on either side.

It knows only one operation, which syncs both ways; it stands for push and for pull.
"""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import ClassVar

from tests.bench.command import Command, Commands, run
from tests.bench.corpus import Entry
from tests.bench.peer import base_environment, occupied
from tests.bench.site import Site

CONFIG = """\
[database]
path={path}
[user]
name=ann
primary_email=ann@example.org
[new]
tags=
[maildir]
synchronize_flags=false
"""


class Muchsync:
    """See `Peer`."""

    name: ClassVar[str] = "muchsync"
    packages: ClassVar[Mapping[str, str]] = {"muchsync": "muchsync", "notmuch": "notmuch"}
    durability: ClassVar[str] = (
        "Xapian and SQLite as they are shipped; the mail itself is not synced"
    )

    def __init__(self, site: Site, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        user = site.make_user(f"muchsync-{folder.parent.name}")
        site.admit(user.public_key)
        self._ssh = f"ssh -F {user.config} -Taxq"
        self._environment = base_environment(user.home)
        self._place = ""
        self._numbers = random.Random(1)

    def fill(self, entries: Iterable[Entry]) -> None:
        self._make("client")
        for entry in entries:
            self._write(entry.log, entry.time / 1e6, entry.author, entry.body, entry.uuid.hex())
        run(self._notmuch("new", "--quiet"))
        run(self._run("muchsync", "-C", str(self._config("client"))))

    def make_server(self, place: str) -> None:
        self._make(place)

    def push_all(self, link: str, place: str) -> Commands:
        words = ("-C", str(self._config("client")), "-s", self._ssh)
        return [self._run("muchsync", *words, link, "-C", str(self._config(place)))]

    def connect(self, place: str) -> None:
        self._place = place

    def clone(self, link: str, place: str, into: Path) -> Commands:
        words = ("-C", f"{into}.config", "-s", self._ssh, "--init", str(into))
        return [self._run("muchsync", *words, link, "-C", str(self._config(place)))]

    def add(self, body: str) -> Commands:
        # The mail's delivery is not counted: it is the mail server's.
        now = datetime.now(tz=UTC).timestamp()
        self._write("main", now, "ann", body, self._numbers.randbytes(16).hex())
        return [self._notmuch("new", "--quiet")]

    def push(self, link: str) -> Commands:
        return self.push_all(link, self._place)

    def pull(self, link: str) -> Commands:
        return self.push_all(link, self._place)

    def newest(self, count: int) -> Commands:
        return [self._notmuch("search", f"--limit={count}", "*")]

    def list_all(self) -> Commands:
        return [self._notmuch("show", "--format=text", "*")]

    def server_bytes(self, place: str) -> int:
        return occupied(self._folder / place)

    def _make(self, place: str) -> None:
        for name in ("cur", "new", "tmp"):
            (self._folder / place / "main" / name).mkdir(parents=True)
        self._config(place).write_text(CONFIG.format(path=self._folder / place))
        run(
            Command(
                ("notmuch", f"--config={self._config(place)}", "new", "--quiet"),
                self._folder,
                self._environment,
            )
        )

    def _write(self, log: str, time: float, author: str, body: str, name: str) -> None:
        folder = self._folder / "client" / log.replace("/", ".") / "cur"
        folder.mkdir(parents=True, exist_ok=True)
        date = format_datetime(datetime.fromtimestamp(time, tz=UTC))
        (folder / f"{int(time)}.{name}:2,S").write_text(
            f"From: {author} <{author}@example.org>\nTo: log@example.org\nDate: {date}\n"
            f"Subject: {body[:60]}\nMessage-ID: <{name}@example.org>\n\n{body}\n"
        )

    def _config(self, place: str) -> Path:
        return self._folder / f"{place}.config"

    def _notmuch(self, *words: str) -> Command:
        return self._run("notmuch", f"--config={self._config('client')}", *words)

    def _run(self, *words: str) -> Command:
        return Command(words, self._folder, self._environment)
