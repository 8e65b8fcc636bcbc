"""A store in memory: the reference for the conformance suite, and for tests of everything above."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.key import key_object_id
from msglog.store.checking import checked_beginning, checked_messages, checked_nodes
from msglog.store.store import (
    AGREED_LIMIT,
    REPOSITORY_ID_BYTES,
    Committed,
    Lost,
    OverQuotaError,
    ReflogEntry,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.store import (
        Commit,
        Receipt,
        Ref,
        Refusal,
    )


class MemoryStore:
    """A Store that keeps everything in dictionaries and forgets it at the end."""

    def __init__(self, identity: bytes) -> None:
        if len(identity) != REPOSITORY_ID_BYTES:
            raise ValueError(identity)
        self._identity = identity
        self._nodes: dict[ObjectId, bytes] = {}
        self._messages: dict[Key, bytes] = {}
        self._receipts: dict[Key, Receipt] = {}
        self._usage: dict[str, Usage] = {}
        self._refs: dict[str, Ref] = {}
        self._reflog: dict[str, list[ReflogEntry]] = {}
        self._agreed: dict[tuple[str, str, Key], dict[ObjectId, None]] = {}
        self._held_back: dict[tuple[str, str], dict[Key, Refusal]] = {}
        self._indexed: dict[str, ObjectId] = {}
        self._index: set[Key] = set()

    @property
    def identity(self) -> bytes:
        """16 bytes, given when the store was made."""
        return self._identity

    def read_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return all these nodes, checked."""
        return checked_nodes(ids, self.find_nodes(ids))

    def read_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return all these messages, checked."""
        return checked_messages(keys, self.find_messages(keys))

    def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
        """Return the first of these messages, and as many after it as there is room for."""
        rows = ((key, self._messages[key]) for key in keys if key in self._messages)
        return checked_beginning(keys, rows, byte_limit)

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return the nodes that are there, unchecked."""
        return {oid: self._nodes[oid] for oid in ids if oid in self._nodes}

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the messages that are there, unchecked."""
        return {key: self._messages[key] for key in keys if key in self._messages}

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """Return the receipts of those of these messages that have one."""
        return {key: self._receipts[key] for key in keys if key in self._receipts}

    def commit(self, commit: Commit) -> Committed | Lost:
        """Apply a change, or nothing of it."""
        for update in commit.refs:
            actual = self._refs.get(update.name)
            if (None if actual is None else actual.root) != update.old:
                return Lost(update.name, actual)
        if commit.receipt is not None and commit.messages:
            new = [key for key in commit.messages if key not in self._messages]
            user = commit.counted_user
            size = sum(len(commit.messages[key]) for key in new)
            usage = self.usage(user).plus(len(new), size)
            if new and commit.quota is not None and not commit.quota.allows(usage):
                raise OverQuotaError(commit.receipt.user)
            self._usage[user] = usage
            self._receipts.update(dict.fromkeys(new, commit.receipt))
        self._nodes.update(commit.nodes)
        self._messages.update(commit.messages)
        for update in commit.refs:
            if update.new is None:
                self._refs.pop(update.name, None)
                self._reflog.pop(update.name, None)
                continue
            self._refs[update.name] = update.new
            self._reflog.setdefault(update.name, []).insert(
                0, ReflogEntry(update.new.root, update.new.count, commit.time, commit.reason)
            )
        for agreement in commit.agreed:
            roots = self._agreed.setdefault((agreement.peer, agreement.log, agreement.view), {})
            roots.pop(agreement.root, None)
            roots[agreement.root] = None
            for oldest in list(roots)[:-AGREED_LIMIT]:
                del roots[oldest]
        for change in commit.held_back:
            held = self._held_back.setdefault((change.peer, change.log), {})
            for key in change.accepted:
                held.pop(key, None)
            for refusal in change.refused:
                held[refusal.key] = refusal
        return Committed()

    def usage(self, user: str) -> Usage:
        """Return what a user was the first to deliver."""
        return self._usage.get(user, Usage())

    def ref(self, name: str) -> Ref | None:
        """Return one ref."""
        return self._refs.get(name)

    def refs(self, prefix: str = "") -> dict[str, Ref]:
        """Return the refs whose names begin with prefix."""
        return {name: self._refs[name] for name in sorted(self._refs) if name.startswith(prefix)}

    def reflog(self, name: str, limit: int) -> list[ReflogEntry]:
        """Return the past values of a ref, newest first."""
        return self._reflog.get(name, [])[:limit]

    def in_reflog(self, name: str, root: ObjectId) -> bool:
        """Tell whether a ref ever pointed to root."""
        return any(entry.root == root for entry in self._reflog.get(name, ()))

    def agreed(self, peer: str, log: str, view: Key) -> list[ObjectId]:
        """Return the roots agreed with a peer, newest first."""
        return list(reversed(self._agreed.get((peer, log, view), {})))

    def held_back(self, peer: str, log: str) -> list[Refusal]:
        """Return the messages that a peer refused last."""
        held = self._held_back.get((peer, log), {})
        return [held[key] for key in sorted(held)]

    def indexed(self, log: str) -> ObjectId:
        """Return the root up to which the look-up by id knows a log."""
        return self._indexed.get(log, EMPTY_ROOT)

    def extend_index(self, log: str, root: ObjectId, keys: Iterable[Key]) -> None:
        """Add keys to the look-up by id."""
        self._index.update(keys)
        self._indexed[log] = root

    def look_up(self, abbreviation: str, limit: int) -> list[Key]:
        """Return the keys whose ids begin with these hex digits."""
        found = (key for key in self._index if key_object_id(key).hex().startswith(abbreviation))
        return sorted(found, key=key_object_id)[:limit]

    def close(self) -> None:
        """Do nothing: there is nothing to free."""
