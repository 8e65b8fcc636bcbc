"""fossil: one check-in a message, without files."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from tests.bench.command import Command, Commands, run
from tests.bench.corpus import Entry
from tests.bench.git import fast_import_stream
from tests.bench.peer import base_environment, occupied
from tests.bench.site import Site

UNHEARD = "received: 0 "
"""What a push or pull says when the server did not answer, with exit status 0."""


class Fossil:
    """See `Peer`."""

    name: ClassVar[str] = "fossil"
    packages: ClassVar[Mapping[str, str]] = {"fossil": "fossil"}
    durability: ClassVar[str] = "SQLite as fossil is shipped"

    def __init__(self, site: Site, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        user = site.make_user(f"fossil-{folder.parent.name}")
        site.admit(user.public_key)
        self._ssh = f"ssh -F {user.config} -T"
        self._environment = base_environment(user.home)
        self._client = folder / "client.fossil"
        self._tree = folder / "tree"
        self._tree.mkdir()
        self._place = ""

    def fill(self, entries: Iterable[Entry]) -> None:
        run(
            self._fossil("import", "--git", str(self._client)),
            stdin=_on_trunk(fast_import_stream(entries)),
        )
        run(self._fossil("open", "--force", str(self._client)))
        run(self._fossil("settings", "autosync", "off"))
        # push and pull take --ssh-command as well, and then leave it aside.
        run(self._fossil("settings", "ssh-command", self._ssh))

    def make_server(self, place: str) -> None:
        path = self._server(place)
        run(self._fossil("new", str(path)))
        code = _config(self._client, "SELECT value FROM config WHERE name = 'project-code'")
        # Two repositories of one project: otherwise fossil refuses to let them meet.
        _config(path, "UPDATE config SET value = ? WHERE name = 'project-code'", code)

    def push_all(self, link: str, place: str) -> Commands:
        words = ("push", self._url(link, place), "--once")
        return [self._fossil(*words, failure=UNHEARD)]

    def connect(self, place: str) -> None:
        self._place = place

    def clone(self, link: str, place: str, into: Path) -> Commands:
        words = ("clone", "--once", "--no-open", "--ssh-command", self._ssh)
        return [self._fossil(*words, self._url(link, place), f"{into}.fossil")]

    def add(self, body: str) -> Commands:
        return [self._fossil("commit", "--allow-empty", "--no-warnings", "-m", body)]

    def push(self, link: str) -> Commands:
        return self.push_all(link, self._place)

    def pull(self, link: str) -> Commands:
        words = ("pull", self._url(link, self._place), "--once")
        return [self._fossil(*words, failure=UNHEARD)]

    def newest(self, count: int) -> Commands:
        return [self._fossil("timeline", "-n", str(count), "-t", "ci")]

    def list_all(self) -> Commands:
        return [self._fossil("timeline", "-n", "0", "-t", "ci")]

    def server_bytes(self, place: str) -> int:
        return occupied(self._server(place))

    def _url(self, link: str, place: str) -> str:
        return f"ssh://{link}/{self._server(place)}"

    def _server(self, place: str) -> Path:
        return self._folder / f"{place}.fossil"

    def _fossil(self, *words: str, failure: str = "") -> Command:
        return Command(("fossil", *words), self._tree, self._environment, failure)


def _on_trunk(stream: Iterable[bytes]) -> Iterable[bytes]:
    for chunk in stream:
        yield chunk.replace(b"commit refs/heads/main\n", b"commit refs/heads/trunk\n", 1)


def _config(path: Path, sql: str, *values: str) -> str:
    connection = sqlite3.connect(path)
    try:
        row = connection.execute(sql, values).fetchone()
        connection.commit()
    finally:
        connection.close()
    return str(row[0]) if row else ""
