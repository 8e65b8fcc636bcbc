"""git: one commit a message, a branch a log, an empty tree."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from tests.bench.command import Command, Commands, run
from tests.bench.corpus import Entry
from tests.bench.peer import base_environment, occupied
from tests.bench.site import LINKS, Site

CONFIG = """\
[user]
    name = ann
    email = ann@example.org
[init]
    defaultBranch = main
[gc]
    auto = 0
[maintenance]
    auto = false
"""
ALL = "refs/heads/*:refs/heads/*"


class Git:
    """See `Peer`."""

    name: ClassVar[str] = "git"
    packages: ClassVar[Mapping[str, str]] = {"git": "git"}
    durability: ClassVar[str] = (
        "as git is shipped (core.fsync=committed,-loose-object): packs and refs are synced, a commit's"
        " own object is not; the row with core.fsync=all syncs that as well"
    )

    def __init__(self, site: Site, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        user = site.make_user(f"git-{folder.parent.name}")
        site.admit(user.public_key)
        self.ssh_config = user.config
        (folder / "gitconfig").write_text(CONFIG)
        self._environment = {
            **base_environment(user.home),
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_SSH_COMMAND": f"ssh -F {user.config}",
        }
        self._client = folder / "client"
        self._client.mkdir()

    def fill(self, entries: Iterable[Entry]) -> None:
        run(self._git("init", "-q"))
        run(self._git("fast-import", "--quiet"), stdin=fast_import_stream(entries))
        run(self._git("gc", "-q"))

    def make_server(self, place: str) -> None:
        run(self._git("init", "-q", "--bare", str(self.server(place))))
        run(self._git("--git-dir", str(self.server(place)), "config", "receive.autogc", "false"))

    def push_all(self, link: str, place: str) -> Commands:
        return [self._git("push", "-q", self.url(link, place), ALL)]

    def connect(self, place: str) -> None:
        run(self._git("--git-dir", str(self.server(place)), "gc", "-q"))
        for link in LINKS:
            run(self._git("remote", "add", link, f"{link}:{self.server(place)}"))
            run(self._git("config", f"remote.{link}.push", ALL))
        run(self._git("config", "branch.main.merge", "refs/heads/main"))

    def clone(self, link: str, place: str, into: Path) -> Commands:
        return [self._git("clone", "-q", f"{link}:{self.server(place)}", str(into))]

    def add(self, body: str) -> Commands:
        return [self._git("commit", "-q", "--allow-empty", "-m", body)]

    def add_synced(self, body: str) -> Commands:
        """As `add`, with everything on the disk as msglog has it."""
        return [self._git("-c", "core.fsync=all", "commit", "-q", "--allow-empty", "-m", body)]

    def push(self, link: str) -> Commands:
        return [self._git("push", "-q", link)]

    def pull(self, link: str) -> Commands:
        return [self._git("-c", f"branch.main.remote={link}", "pull", "-q", "--ff-only")]

    def newest(self, count: int) -> Commands:
        return [self._git("log", f"-{count}")]

    def list_all(self) -> Commands:
        return [self._git("log")]

    def server_bytes(self, place: str) -> int:
        run(self._git("--git-dir", str(self.server(place)), "gc", "-q"))
        return occupied(self.server(place) / "objects")

    def other(self, number: int) -> "Git":
        """Return one more client of the same account, with a copy of the repository."""
        copy = object.__new__(Git)
        copy._folder, copy._environment = self._folder, self._environment
        copy.ssh_config = self.ssh_config
        copy._client = self._folder / f"client{number}"
        shutil.copytree(self._client, copy._client)
        return copy

    def run(self, *words: str) -> Command:
        """Return a command in the client's repository."""
        return self._git(*words)

    def url(self, link: str, place: str) -> str:
        return f"{link}:{self.server(place)}"

    def server(self, place: str) -> Path:
        return self._folder / f"{place}.git"

    def _git(self, *words: str) -> Command:
        return Command(("git", *words), self._client, self._environment)


def fast_import_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield the messages as commits for `git fast-import`, and for `fossil import --git`."""
    for entry in entries:
        body = entry.body.encode()
        who = f"{entry.author} <{entry.author}@example.org> {entry.time // 1_000_000} +0000"
        yield (
            f"commit refs/heads/{entry.log}\ncommitter {who}\ndata {len(body)}\n".encode()
            + body
            + b"\n"
        )
