"""The commands that are attacked: a table to which another is added by one entry."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.crash.site import SMALL_BATCHES, UNCHECKED_PROGRAM, Site

SMALL_SLICES = """\
import msglog.store.collection, msglog.store.sqlite_collection, msglog.store.sqlite_condensation
import porcelain.admin.gc, porcelain.gc
msglog.store.sqlite_collection.SLICE = 20
msglog.store.sqlite_condensation._SLICE_ROWS = 8
msglog.store.sqlite_condensation._SLICE_PAGES = 2
porcelain.gc.DEFAULT_GRACE = 0
porcelain.admin.gc.microseconds = lambda _: 0
"""
SLOW_VACUUM = f"{SMALL_SLICES}\nmsglog.store.sqlite_condensation.VACUUM_BYTES_LIMIT = 0\n"

LINES = "".join(f"of a batch {number} {'y' * 90 * number}\n" for number in range(20))
NEAR = "server/account/repositories/main"


def _mine(site: Site) -> Path:
    return site.mine


def _client(site: Site) -> Path:
    return site.mine.parent


def server(site: Site) -> Path:
    return site.account.parent


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that is attacked.

    words: may name {base}, {folder}, {keys} and {store} of the site. where: where it runs. patch: Python that its
    process runs first. steps: it may get there by several steps, each of which is whole, such as
    batches; else each thing is as it was or as it is to be. adds: done again, it adds again.
    settled: with which statuses it may end where it was done before. after: what completes it
    where it was cut off, if not the same words. remote: a process is started for the other side. removes: what others
    add meanwhile may go as well.
    """

    name: str
    words: tuple[str, ...]
    where: Callable[[Site], Path] = _mine
    stdin: bytes = b""
    patch: str = ""
    steps: bool = False
    adds: bool = False
    settled: tuple[int, ...] = (0,)
    after: tuple[str, ...] = ()
    remote: bool = False
    removes: bool = False
    weight: int = 1

    def spoken(self, site: Site) -> tuple[str, ...]:
        """Return the words for a site."""
        return tuple(
            [
                word.format(
                    base=site.base,
                    folder=site.folder,
                    keys=site.keys,
                    bob=site.bob,
                    store=site.empty_store,
                )
                for word in self.words
            ]
        )

    def completion(self, site: Site) -> tuple[str, ...]:
        """Return the words that complete it."""
        if not self.after:
            return self.spoken(site)
        return tuple([word.format(folder=site.folder) for word in self.after])


_KEYS = ("--account", "account", "--authorized-keys", "{keys}")


def _key(name: str, *words: str, settled: tuple[int, ...] = (0,)) -> Operation:
    words = ("admin", "key", *words, *_KEYS)
    return Operation(name, words, server, patch=UNCHECKED_PROGRAM, settled=settled)


def _transfer(word: str, *, weight: int = 3) -> list[Operation]:
    """Both ways to the server: by a process of its own, and in the same process."""
    return [
        Operation(
            word, (word, "origin"), patch=SMALL_BATCHES, steps=True, remote=True, weight=weight
        ),
        Operation(f"{word}-near", (word, "near"), patch=SMALL_BATCHES, steps=True),
    ]


OPERATIONS = {
    operation.name: operation
    for operation in [
        Operation("add", ("add", "one more"), adds=True, weight=2),
        Operation("add-batch", ("add", "--batch"), stdin=LINES.encode(), adds=True, weight=2),
        Operation("import", ("import", "{base}/messages.jsonl")),
        *_transfer("push"),
        *_transfer("pull"),
        *_transfer("sync", weight=2),
        Operation(
            "clone",
            ("clone", "server", "copy"),
            _client,
            patch=SMALL_BATCHES,
            steps=True,
            after=("-C", "{folder}/client/copy", "pull"),
            remote=True,
            weight=2,
        ),
        Operation(
            "clone-near",
            ("clone", f"{{folder}}/{NEAR}", "copy"),
            _client,
            patch=SMALL_BATCHES,
            steps=True,
            after=("-C", "{folder}/client/copy", "pull"),
        ),
        Operation("gc", ("gc",), patch=SMALL_SLICES, weight=2),
        Operation("gc-by-slices", ("gc",), patch=SLOW_VACUUM, weight=2),
        Operation(
            "admin-gc",
            ("admin", "gc", "--account", "account"),
            server,
            patch=SMALL_SLICES,
            weight=2,
        ),
        _key("key-add", "add", "ann", "{base}/3.pub"),
        _key("key-remove", "remove", "bob", "{bob}", settled=(0, 1, 2)),
        _key("key-rotate", "rotate", "bob", "{base}/3.pub", settled=(0, 2)),
        Operation(
            "user-add",
            ("admin", "user", "add", "cyd", "--role", "read", "--account", "account"),
            server,
            settled=(2,),
        ),
        Operation(
            "user-remove",
            ("admin", "user", "remove", "bob", *_KEYS),
            server,
            patch=UNCHECKED_PROGRAM,
            settled=(0, 2),
        ),
        Operation("init", ("init", "fresh"), _client),
        Operation("admin-init", ("admin", "init", "fresh"), server),
        Operation("logs-new", ("logs", "new", "fresh"), settled=(2,)),
        Operation("logs-rename", ("logs", "rename", "spare", "used"), settled=(2,)),
        Operation("logs-delete", ("logs", "delete", "spare", "--force"), settled=(2,)),
        Operation("config-set", ("config", "set", "user.author", "Zed")),
        Operation("config-unset", ("config", "unset", "user.author"), settled=(1, 2)),
        Operation("config-global", ("config", "--global", "set", "user.author", "Zed")),
        Operation("remote-add", ("remote", "add", "far", "server:far"), settled=(2,)),
        Operation("remote-rename", ("remote", "rename", "near", "close"), settled=(2,)),
        Operation("backup", ("backup", "--force", "../kept.backup"), weight=2),
        Operation("backup-new", ("backup", "../new.backup"), settled=(7,)),
        Operation(
            "admin-backup",
            ("admin", "backup", "all.backup", "--force", "--account", "account"),
            server,
        ),
        Operation("restore", ("restore", "kept.backup", "deep/copy"), _client, settled=(7,)),
        Operation(
            "admin-restore",
            ("admin", "restore", "{base}/account.backup", "deep/copy"),
            server,
            settled=(7,),
        ),
        Operation("drop", ("drop", "--yes"), settled=(7,), removes=True, weight=2),
    ]
}
