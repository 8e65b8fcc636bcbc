"""A store that is read from a file which cannot be written, and from what waits beside it."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.incoming import waiting
from msglog.index.change import insert
from msglog.index.node import EMPTY_ROOT
from msglog.key import TIME_BYTES
from msglog.layout import INCOMING_NAME
from msglog.refname import log_ref
from msglog.store.store import Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from msglog.errors import LocalError
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.collection import Beat, BytesDone, Collected, Condensed, Retention, StepsDone
    from msglog.store.notice import Notice
    from msglog.store.sqlite import SqliteStore
    from msglog.store.store import Commit, Committed, Lost, Receipt, ReflogEntry, Refusal, Usage

    _Read = TypeVar("_Read")


class Source(Protocol):
    """A file of SQLite that is read."""

    def read(self, work: Callable[[SqliteStore], _Read]) -> _Read:
        """Return what is read of the file; work may be done more than once."""

    def close(self) -> None:
        """Read no more."""


class LayeredStore:
    """A Store that reads a file and what waits beside it; whatever would write raises an error.

    error: that one, which says why. folder: of the file.
    """

    def __init__(self, path: str, error: LocalError, source: Source) -> None:
        self.folder = os.path.dirname(path)
        self.error = error
        self._source = source
        self._read = source.read
        self._identity = self._read(lambda store: store.identity)
        self._nodes: dict[ObjectId, bytes] = {}
        self._messages: dict[Key, bytes] = {}
        self._refs: dict[str, Ref] = {}
        self._indexed: dict[str, ObjectId] = {}
        self._found: set[Key] = set()

    def take_up_all(self) -> tuple[int, list[str]]:
        """Show all that waits; return how many messages that is, and what to say of damage."""
        count = 0
        unusable = []
        for one in waiting(self.folder):
            if isinstance(one, str):
                unusable.append(f"damaged, and not shown: {self.folder}/{INCOMING_NAME}/{one}")
            else:
                self.take_up(one.log, one.messages)
                count += len(one.messages)
        return count, unusable

    def take_up(self, log: str, messages: Mapping[Key, bytes]) -> None:
        """Show these messages, which wait, as messages of a log."""
        name = log_ref(log)
        old = self.ref(name)
        root = EMPTY_ROOT if old is None else old.root
        index = insert(self.read_nodes, root, sorted(messages))
        self.show(name, Ref(index.root, index.count), index.nodes, messages)

    def show(
        self, name: str, ref: Ref, nodes: Mapping[ObjectId, bytes], messages: Mapping[Key, bytes]
    ) -> None:
        """Show another value of a ref than the file has, and what it reaches besides."""
        self._nodes.update(nodes)
        self._messages.update(messages)
        self._refs[name] = ref

    def commit(self, commit: Commit) -> Committed | Lost:
        """Raise the error."""
        del commit
        raise self.error

    @property
    def identity(self) -> bytes:
        """16 random bytes made with the repository."""
        return self._identity

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
        wanted = [oid for oid in ids if oid not in found]
        return found | self._read(lambda store: store.find_nodes(wanted))

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the messages that are there, unchecked."""
        found = {key: self._messages[key] for key in keys if key in self._messages}
        wanted = [key for key in keys if key not in found]
        return found | self._read(lambda store: store.find_messages(wanted))

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
        """Raise the error."""
        del retention, dry_run, progress
        raise self.error

    def condense(self, *, progress: StepsDone | None = None) -> Condensed:
        """Raise the error."""
        del progress
        raise self.error

    def held_keys(self) -> Iterator[Key]:
        """Yield the keys of all messages, in order."""
        kept = self._read(lambda store: list(store.held_keys()))
        yield from sorted({*kept, *self._messages})

    def forget_agreed(self, log: str) -> None:
        """Raise the error."""
        del log
        raise self.error

    def snapshot(self, path: str, *, progress: BytesDone | None = None) -> None:
        """Raise the error: what cannot be locked cannot be read as it is at one moment."""
        del path, progress
        raise self.error

    def notice(self) -> Notice:
        """Raise the error: what was read is not read again."""
        raise self.error

    def size(self) -> int:
        """Return the bytes of the file, without what waits."""
        return self._read(lambda store: store.size())

    def faults(self, beat: Beat | None = None) -> Iterator[str]:
        """Yield what is damaged of what the store keeps for itself."""
        yield from self._read(lambda store: list(store.faults(beat)))

    def close(self) -> None:
        """Close the store."""
        self._source.close()
