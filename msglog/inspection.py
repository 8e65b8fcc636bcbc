"""Checking a whole repository: every message, index and ref, each once."""

from __future__ import annotations

from itertools import takewhile

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace
from msglog.encoding import EncodingError
from msglog.errors import IntegrityError
from msglog.index.verification import Fault, examine
from msglog.key import key_object_id, key_time
from msglog.message import decode_object
from msglog.message_scan import scan
from msglog.objectid import object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msglog.index.verification import Trail
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from msglog.store.collection import Beat
    from msglog.store.store import Ref

_READ_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged thing; kind: "message", "node", "ref" or "store". name: its id, or what it is.

    ref: below which it was found, or "".
    """

    kind: str
    name: str
    why: str
    ref: str = ""


def inspect(repository: Repository) -> Iterator[Damage]:
    """Yield all that is damaged in a repository."""
    try:
        refs = repository.store.refs()
    except IntegrityError as error:
        yield Damage("store", repository.folder, f"{error.what}: {error.why}")
        return
    yield from inspect_store(repository)
    inspection = Inspection(repository)
    for number, (name, ref) in enumerate(refs.items(), 1):
        for damage in inspection.check_ref(name, ref, remember=number < len(refs)):
            yield replace(damage, ref=name)


def inspect_store(repository: Repository, beat: Beat | None = None) -> Iterator[Damage]:
    """Yield what is damaged of what the store keeps for itself, whatever refs reach.

    beat: called now and then.
    """
    try:
        for fault in repository.store.faults(beat):
            yield Damage("store", repository.folder, fault)
    except IntegrityError as error:
        yield Damage("store", repository.folder, f"{error.what}: {error.why}")


class Inspection:
    """Checks the refs of a repository one after the other, and what they share once.

    Of the refs checked with `remember`, it knows the inner nodes below which all was sound, the
    messages too: some 100 bytes for each, of which a log has one for 65 messages or so. Nothing
    below such a node is visited again. What is damaged, and all above it, is visited for each ref.

    counted: told now and then how many messages of a ref were checked.
    """

    def __init__(
        self, repository: Repository, counted: Callable[[int], None] = lambda _: None
    ) -> None:
        self._repository = repository
        self._counted = counted
        self._sound: set[ObjectId] = set()

    def check_ref(self, name: str, ref: Ref, *, remember: bool) -> Iterator[Damage]:
        """Yield all damage below a ref: its index, the messages that it names, its own count."""
        count = 0
        complete = True
        visited: set[ObjectId] = set()
        unsound: set[ObjectId] = set()
        pending: list[tuple[Trail, tuple[Key, ...]]] = []
        waiting = 0
        try:
            for trail, found in examine(
                self._repository.store.find_nodes, ref.root, known=self._sound
            ):
                if isinstance(found, Fault):
                    complete = False
                    unsound.update(_nodes_of(trail))
                    yield Damage("node", found.node.hex(), found.why)
                    continue
                if remember:
                    # above a node that was visited, all are
                    above = takewhile(lambda oid: oid not in visited, _nodes_of(trail[1]))
                    visited.update(above)
                if isinstance(found, int):
                    count += found
                    continue
                count += len(found)
                waiting += len(found)
                pending.append((trail, found))
                if waiting >= _READ_AT_ONCE:
                    yield from self._check_messages(pending, unsound)
                    pending, waiting = [], 0
                    self._counted(count)
            yield from self._check_messages(pending, unsound)
            visited -= unsound
            if self._sound:
                self._sound |= visited
            else:
                self._sound = visited
        except IntegrityError as error:
            complete = False
            yield Damage("store", self._repository.folder, f"{error.what}: {error.why}")
        if complete and count != ref.count:
            yield Damage("ref", name, f"it says {ref.count} messages, and there are {count}")

    def _check_messages(
        self, pending: Sequence[tuple[Trail, tuple[Key, ...]]], unsound: set[ObjectId]
    ) -> Iterator[Damage]:
        """Yield the damaged messages of some leaves, and note the nodes above them as unsound."""
        found = self._repository.store.find_messages([key for _, keys in pending for key in keys])
        for trail, keys in pending:
            for key in keys:
                why = message_fault(key, found.get(key))
                if why:
                    unsound.update(_nodes_of(trail))
                    yield Damage("message", key_object_id(key).hex(), why)


def _nodes_of(trail: Trail | None) -> Iterator[ObjectId]:
    """Yield the nodes of a trail, the lowest first."""
    while trail is not None:
        yield trail[0]
        trail = trail[1]


def message_fault(key: Key, data: bytes | None) -> str:
    """Return what is wrong with the object of a key, or ""."""
    if data is None:
        return "it is missing"
    if object_id(data) != key_object_id(key):
        return "its bytes have another SHA-256"
    plain = scan(data)
    try:
        time = decode_object(data).time if plain is None else plain[1]
    except EncodingError as error:
        return error.why
    return "" if time == key_time(key) else "its time is not that of its key"
