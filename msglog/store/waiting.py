"""A store where locks do not work: it is read as it is, and what is added waits beside it.

What is read without locks while another machine writes may be torn. Objects have their digests and
a root reaches all of its log, so that it shows as damage, and never as another message.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.incoming import about_damage, drop, waiting
from msglog.index.change import insert
from msglog.index.node import EMPTY_ROOT
from msglog.key import TIME_BYTES
from msglog.layout import INCOMING_NAME
from msglog.refname import LOG_PREFIX, log_ref
from msglog.sqlite_file import COPY, STILL
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Committed, Lost, Ref, StoreError, StoreFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.sqlite_file import LocksError
    from msglog.store.collection import Collected, Condensed, Retention, StepsDone
    from msglog.store.notice import Notice
    from msglog.store.store import Commit, Receipt, ReflogEntry, Refusal, Usage

    _Read = TypeVar("_Read")

_ATTEMPTS = 8
_PAUSE_SECONDS = 0.02
_TORN = (IntegrityError, StoreError)
"""What reading ends with where somebody writes at the same time, or where there is damage."""


def open_waiting(path: str, error: LocksError) -> tuple[WaitingStore, list[str]]:
    """Open the store at path without locks, with what waits beside it; and what to tell people.

    error: why there are none. Raises as SqliteStore.open does.
    """
    store = WaitingStore(path, error)
    count = 0
    unusable = []
    for one in waiting(store.folder):
        if isinstance(one, str):
            unusable.append(f"damaged, and not shown: {store.folder}/{INCOMING_NAME}/{one}")
        else:
            store.take_up(one.log, one.messages)
            count += len(one.messages)
    say = f"{error.what} ({error.why}): what is added waits in {store.folder}/{INCOMING_NAME}"
    if count:
        say += f", where {'1 message does' if count == 1 else f'{count} messages do'}"
    return store, [say, *unusable, *about_damage(store.folder)]


def _open(path: str) -> tuple[SqliteStore, str]:
    """Return the store, and the folder to remove once it is closed, or "".

    What lies in a log or a journal can be had only by writing, so in a copy. Mostly it is the
    journal of somebody who just writes, and soon gone.
    """
    for attempt in range(_ATTEMPTS):
        _wait(attempt)
        if not any(map(_has_content, (f"{path}-wal", f"{path}-journal"))):
            try:
                return SqliteStore.open_alone(path, STILL, path=path), ""
            except StoreFormatError:
                break  # an older one can be upgraded in a copy; of others this says the same again
            except _TORN:
                continue
    for attempt in range(_ATTEMPTS):
        _wait(attempt)
        try:
            return _open_copy(path)
        except _TORN:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _open_copy(path: str) -> tuple[SqliteStore, str]:
    folder = tempfile.mkdtemp(prefix="msglog-")
    try:
        copy = os.path.join(folder, os.path.basename(path))
        for suffix in ("", "-wal", "-journal"):
            try:
                shutil.copyfile(path + suffix, copy + suffix)
            except FileNotFoundError:
                if not suffix:
                    raise
        return SqliteStore.open_alone(copy, COPY, path=path), folder
    except BaseException:
        shutil.rmtree(folder)
        raise


def _wait(attempt: int) -> None:
    time.sleep(_PAUSE_SECONDS * attempt)


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except FileNotFoundError:
        return False


class WaitingStore:
    """A Store that reads another and what waits beside it, and adds to what waits.

    Of changes it takes those alone that add messages to logs; others raise LocksError.
    """

    def __init__(self, path: str, error: LocksError) -> None:
        self._store, self._copy = _open(path)
        self._path = path
        self.folder = os.path.dirname(path)
        self._error = error
        self._nodes: dict[ObjectId, bytes] = {}
        self._messages: dict[Key, bytes] = {}
        self._refs: dict[str, Ref] = {}
        self._indexed: dict[str, ObjectId] = {}
        self._found: set[Key] = set()

    def _read(self, read: Callable[[SqliteStore], _Read]) -> _Read:
        """Return what is read, from the file as it is later if it was torn."""
        for attempt in range(_ATTEMPTS):
            try:
                return read(self._store)
            except _TORN:
                if attempt == _ATTEMPTS - 1:
                    raise
                _wait(attempt + 1)
                self.close()
                self._store, self._copy = _open(self._path)
        raise AssertionError

    def take_up(self, log: str, messages: dict[Key, bytes]) -> None:
        """Show these messages, which wait, as messages of a log."""
        name = log_ref(log)
        old = self.ref(name)
        root = EMPTY_ROOT if old is None else old.root
        index = insert(self.read_nodes, root, sorted(messages))
        self._nodes.update(index.nodes)
        self._messages.update(messages)
        self._refs[name] = Ref(index.root, index.count)

    def commit(self, commit: Commit) -> Committed | Lost:
        """Let the messages of a change wait, durably; raises LocksError for any other change."""
        (update,) = commit.refs if len(commit.refs) == 1 else (None,)
        only_adds = not (commit.receipt or commit.agreed or commit.held_back)
        if update is None or update.new is None or not commit.messages or not only_adds:
            raise self._error
        if not update.name.startswith(LOG_PREFIX):
            raise self._error
        actual = self.ref(update.name)
        if (None if actual is None else actual.root) != update.old:
            return Lost(update.name, actual)
        log = update.name[len(LOG_PREFIX) :]
        drop(self.folder, log, commit.messages.values())
        self._nodes.update(commit.nodes)
        self._messages.update(commit.messages)
        self._refs[update.name] = update.new
        return Committed()

    @property
    def identity(self) -> bytes:
        """16 random bytes made with the repository."""
        return self._store.identity

    def read_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return all these nodes, checked."""
        found = {oid: self._nodes[oid] for oid in ids if oid in self._nodes}
        wanted = [oid for oid in ids if oid not in found]
        return found | (self._read(lambda store: store.read_nodes(wanted)) if wanted else {})

    def read_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return all these messages, checked."""
        found = {key: self._messages[key] for key in keys if key in self._messages}
        wanted = [key for key in keys if key not in found]
        return found | (self._read(lambda store: store.read_messages(wanted)) if wanted else {})

    def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
        """Return the first of these messages, and as many after it as there is room for."""
        stored = next((n for n, key in enumerate(keys) if key in self._messages), len(keys))
        if stored:
            return self._read(lambda store: store.read_some(keys[:stored], byte_limit))
        beginning: list[bytes] = []
        for key in keys:
            data = self._messages.get(key)
            if data is None:
                break
            byte_limit -= len(data)
            if beginning and byte_limit < 0:
                break
            beginning.append(data)
        return beginning

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return the nodes that are there, unchecked."""
        found = {oid: self._nodes[oid] for oid in ids if oid in self._nodes}
        return found | self._store.find_nodes([oid for oid in ids if oid not in found])

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the messages that are there, unchecked."""
        found = {key: self._messages[key] for key in keys if key in self._messages}
        return found | self._store.find_messages([key for key in keys if key not in found])

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """Return the receipts of those of these messages that have one."""
        return self._read(lambda store: store.receipts(keys))

    def settled(self, read: Callable[[], _Read]) -> _Read:
        """Return what is read: what can be read here is durable."""
        return read()

    def exclusively(self, _: Sequence[str], work: Callable[[], _Read]) -> _Read:
        """Do work: who loses here has not waited for the others."""
        return work()

    def usage(self, user: str) -> Usage:
        """Return what a user was the first to deliver."""
        return self._read(lambda store: store.usage(user))

    def ref(self, name: str) -> Ref | None:
        """Return one ref."""
        return self._refs.get(name) or self._read(lambda store: store.ref(name))

    def refs(self, prefix: str = "") -> dict[str, Ref]:
        """Return the refs whose names begin with prefix."""
        own = {name: ref for name, ref in self._refs.items() if name.startswith(prefix)}
        return dict(sorted((self._read(lambda store: store.refs(prefix)) | own).items()))

    def reflog(self, name: str, limit: int) -> list[ReflogEntry]:
        """Return the past values of a ref, newest first, without what waits."""
        return self._read(lambda store: store.reflog(name, limit))

    def in_reflog(self, name: str, root: ObjectId) -> bool:
        """Tell whether a ref ever pointed to root."""
        return self._read(lambda store: store.in_reflog(name, root))

    def agreed(self, peer: str, log: str, view: Key) -> list[ObjectId]:
        """Return the roots agreed with a peer, newest first."""
        return self._read(lambda store: store.agreed(peer, log, view))

    def held_back(self, peer: str, log: str) -> list[Refusal]:
        """Return the messages that a peer refused last."""
        return self._read(lambda store: store.held_back(peer, log))

    def indexed(self, log: str) -> ObjectId:
        """Return the root up to which the look-up by id knows a log."""
        return self._indexed.get(log) or self._read(lambda store: store.indexed(log))

    def extend_index(self, log: str, root: ObjectId, keys: Iterable[Key]) -> None:
        """Add keys to the look-up by id, for as long as the store is open."""
        self._found.update(keys)
        self._indexed[log] = root

    def look_up(self, abbreviation: str, limit: int) -> list[Key]:
        """Return the keys whose ids begin with these hex digits."""
        found = set(self._read(lambda store: store.look_up(abbreviation, limit)))
        found.update(key for key in self._found if key[TIME_BYTES:].hex().startswith(abbreviation))
        return sorted(found, key=lambda key: key[TIME_BYTES:])[:limit]

    def collect(
        self,
        retention: Retention,
        *,
        dry_run: bool = False,
        progress: StepsDone | None = None,
    ) -> Collected:
        """Raise LocksError."""
        del retention, dry_run, progress
        raise self._error

    def condense(self, *, progress: StepsDone | None = None) -> Condensed:
        """Raise LocksError."""
        del progress
        raise self._error

    def held_keys(self) -> Iterator[Key]:
        """Yield the keys of all messages, in order."""
        kept = self._read(lambda store: list(store.held_keys()))
        yield from sorted({*kept, *self._messages})

    def forget_agreed(self, log: str) -> None:
        """Raise LocksError."""
        del log
        raise self._error

    def snapshot(self, path: str) -> None:
        """Raise LocksError: what cannot be locked cannot be read as it is at one moment."""
        del path
        raise self._error

    def notice(self) -> Notice:
        """Raise LocksError: what was read is not read again."""
        raise self._error

    def size(self) -> int:
        """Return the bytes of the file, without what waits."""
        return self._store.size()

    def faults(self) -> Iterator[str]:
        """Yield what is damaged of what the store keeps for itself."""
        return self._store.faults()

    def close(self) -> None:
        """Close the store."""
        self._store.close()
        if self._copy:
            shutil.rmtree(self._copy, ignore_errors=True)
