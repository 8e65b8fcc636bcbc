"""A store in memory: the reference for the conformance suite, and for tests of everything above."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT, Inner, load_node
from msglog.key import FIRST_KEY, SECOND, key_object_id
from msglog.objectid import object_id
from msglog.refname import LOG_PREFIX, log_of
from msglog.store.checking import checked_beginning, checked_messages, checked_nodes
from msglog.store.collection import Collected, Condensed
from msglog.store.store import (
    AGREED_LIMIT,
    REPOSITORY_ID_BYTES,
    VIEWS_LIMIT,
    Committed,
    Lost,
    OverQuotaError,
    ReflogEntry,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias, TypeVar

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.collection import Beat, BytesDone, Retention, StepsDone
    from msglog.store.memory_notice import MemoryNotice
    from msglog.store.store import (
        Agreement,
        Commit,
        Receipt,
        Ref,
        Refusal,
    )

    _Result = TypeVar("_Result")

_Place: TypeAlias = "tuple[str, str, Key]"
"""Where agreed roots belong: a peer, a log and a view."""


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
        self._agreed: dict[_Place, dict[ObjectId, int]] = {}
        self._retired: dict[ObjectId, int] = {}
        self._seen: dict[bytes, int] = {}
        self._held_back: dict[tuple[str, str], dict[Key, Refusal]] = {}
        self._indexed: dict[str, ObjectId] = {}
        self._index: set[Key] = set()
        self._notices: list[MemoryNotice] = []

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
        rows = ((key, self._messages[key], 0) for key in keys if key in self._messages)
        return checked_beginning(keys, rows, byte_limit, _as_it_is)

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
        self._seen.update(dict.fromkeys((*commit.nodes, *commit.messages), commit.time))
        for update in commit.refs:
            if update.new is None:
                self._refs.pop(update.name, None)
                for entry in self._reflog.pop(update.name, ()):
                    self._retired[entry.root] = commit.time
                continue
            self._refs[update.name] = update.new
            self._reflog.setdefault(update.name, []).insert(
                0, ReflogEntry(update.new.root, update.new.count, commit.time, commit.reason)
            )
        for agreement in commit.agreed:
            roots = self._agreed.setdefault((agreement.peer, agreement.log, agreement.view), {})
            roots.pop(agreement.root, None)
            roots[agreement.root] = commit.time
            for oldest in list(roots)[:-AGREED_LIMIT]:
                del roots[oldest]
                self._retired[oldest] = commit.time
            if agreement.view != FIRST_KEY:
                self._bound_views(agreement, commit.time)
        for change in commit.held_back:
            held = self._held_back.setdefault((change.peer, change.log), {})
            for key in change.accepted:
                held.pop(key, None)
            for refusal in change.refused:
                held[refusal.key] = refusal
        if commit.refs:
            for notice in self._notices:
                notice.tell()
        return Committed()

    def _bound_views(self, agreement: Agreement, time: int) -> None:
        """Give up the roots of views, where there are too many: those of the oldest ones."""
        place = agreement.peer, agreement.log, agreement.view
        self._agreed[place] = self._agreed.pop(place)  # that of which one was agreed last
        views = [
            other for other in self._agreed if other[:2] == place[:2] and other[2] != FIRST_KEY
        ]
        for old in views[:-VIEWS_LIMIT]:
            self._retired.update(dict.fromkeys(self._agreed.pop(old), time))

    def settled(self, read: Callable[[], _Result]) -> _Result:
        """Return what is read: what can be read here is durable."""
        return read()

    def exclusively(self, _: Sequence[str], work: Callable[[], _Result]) -> _Result:
        """Do work: who loses here has not waited for the others."""
        return work()

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

    def collect(
        self,
        retention: Retention,
        *,
        dry_run: bool = False,
        progress: StepsDone | None = None,
    ) -> Collected:
        """Remove what no root reaches, or only say how much it is."""
        del progress  # it is done at once
        entries = self._expired_entries(retention)
        agreements = self._expired_agreements(retention)
        nodes, keys = self._reached([ref.root for ref in self._refs.values()], strict=True)
        remembered = [
            *self._indexed.values(),
            *(entry.root for entries in self._reflog.values() for entry in entries),
            *(root for roots in self._agreed.values() for root in roots),
            *(root for root, time in self._retired.items() if time >= retention.before),
        ]
        more = self._reached(remembered, strict=False)
        nodes, keys = nodes | more[0], keys | more[1]
        doomed_nodes = [oid for oid in self._nodes if self._may_go(oid, nodes, retention)]
        doomed = [key for key in self._messages if self._may_go(key, keys, retention)]
        receipts = {id(self._receipts[key]) for key in doomed if key in self._receipts}
        kept = {id(self._receipts[key]) for key in self._receipts if key not in doomed}
        if not dry_run:
            self._give_up(entries, agreements, retention)
            for oid in doomed_nodes:
                del self._nodes[oid]
            for key in doomed:
                del self._messages[key]
                self._receipts.pop(key, None)
                self._index.discard(key)
                for held in self._held_back.values():
                    held.pop(key, None)
        return Collected(
            len(doomed), len(doomed_nodes), len(entries) + len(agreements), len(receipts - kept)
        )

    def _may_go(self, name: bytes, reached: set[bytes], retention: Retention) -> bool:
        before = retention.before // SECOND  # stores remember in seconds when they saw an object
        return name not in reached and self._seen[name] // SECOND < before

    def _expired_entries(self, retention: Retention) -> list[tuple[str, ReflogEntry]]:
        old = retention.now - retention.remembered
        return [
            (name, entry)
            for name, entries in self._reflog.items()
            for age, entry in enumerate(entries, 1)
            if age > 1 and (entry.time < old or age > retention.reflog_limit)
        ]

    def _expired_agreements(self, retention: Retention) -> list[tuple[_Place, ObjectId]]:
        old = retention.now - retention.remembered
        there = set(map(log_of, self._refs))
        return [
            (place, root)
            for place, roots in self._agreed.items()
            for age, (root, time) in enumerate(reversed(roots.items()), 1)
            if time < old and not (place[2] == FIRST_KEY and age == 1 and place[1] in there)
        ]

    def _give_up(
        self,
        entries: list[tuple[str, ReflogEntry]],
        agreements: list[tuple[_Place, ObjectId]],
        retention: Retention,
    ) -> None:
        for root in [root for root, time in self._retired.items() if time < retention.before]:
            del self._retired[root]
        for name, entry in entries:
            self._reflog[name].remove(entry)
            self._retired[entry.root] = retention.now
        for place, root in agreements:
            del self._agreed[place][root]
            self._retired[root] = retention.now
        for log in [log for log in self._indexed if not self._is_ref(log)]:
            self._retired[self._indexed.pop(log)] = retention.now

    def _is_ref(self, log: str) -> bool:
        return log in self._refs or LOG_PREFIX + log in self._refs

    def _reached(self, roots: Iterable[ObjectId], *, strict: bool) -> tuple[set[bytes], set[bytes]]:
        """Return the nodes and the keys below roots."""
        nodes: set[bytes] = set()
        keys: set[bytes] = set()
        stack = [root for root in roots if root != EMPTY_ROOT]
        while stack:
            oid = stack.pop()
            if oid in nodes:
                continue
            nodes.add(oid)
            data = self._nodes.get(oid)
            if strict:
                data = self.read_nodes([oid])[oid]
            if data is None or object_id(data) != oid:
                continue
            node = load_node(data)
            if isinstance(node, Inner):
                stack.extend([child[1] for child in node.children])
            else:
                keys.update(node.keys)
        return nodes, keys

    def condense(self, *, progress: StepsDone | None = None) -> Condensed:
        """Do nothing: memory is not for keeping."""
        del progress
        return Condensed(0, self.size(), self.size())

    def held_keys(self) -> Iterator[Key]:
        """Yield all keys."""
        return iter(sorted(self._messages))

    def forget_agreed(self, log: str) -> None:
        """Forget what was agreed about a log."""
        for place in [place for place in self._agreed if place[1] == log]:
            del self._agreed[place]

    def snapshot(self, path: str, *, progress: BytesDone | None = None) -> None:
        """Write all into a new file of SQLite, at once."""
        del progress
        from msglog.store.memory_snapshot import Contents, write  # noqa: PLC0415 - seldom wanted

        write(
            path,
            Contents(
                self._identity,
                self._nodes,
                self._messages,
                self._receipts,
                self._usage,
                self._refs,
                self._reflog,
                self._agreed,
                self._retired,
                self._seen,
                self._held_back,
                self._indexed,
                self._index,
            ),
        )

    def notice(self) -> MemoryNotice:
        """Return what tells of every commit that changes a ref."""
        from msglog.store.memory_notice import MemoryNotice  # noqa: PLC0415 - seldom wanted

        notice = MemoryNotice(self._notices.remove)
        self._notices.append(notice)
        return notice

    def size(self) -> int:
        """Return the bytes of all objects."""
        return sum(map(len, (*self._nodes.values(), *self._messages.values())))

    def faults(self, beat: Beat | None = None) -> Iterator[str]:  # noqa: ARG002 - see Store
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


def _as_it_is(data: object, _form: object) -> bytes:
    return data if isinstance(data, bytes) else b""
