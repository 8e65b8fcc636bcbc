"""The Store protocol: everything that msglog keeps, and what must be atomic together.

Messages are addressed by key, because every reader comes from an index, and because in key order a
log is written and read sequentially; nodes by id. Ids are computed by the callers' pure functions
and checked again at every read.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.dataclass import dataclass, field
from msglog.errors import IntegrityError, LocalError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.collection import Beat, BytesDone, Collected, Condensed, Retention, StepsDone
    from msglog.store.notice import Notice

    _Read = TypeVar("_Read")

REPOSITORY_ID_BYTES = 16
AGREED_LIMIT = 64
"""How many agreed roots are kept for one peer, log and view; the oldest go first."""

VIEWS_LIMIT = 32
"""For how many views of one log, besides the whole, roots agreed with one peer are kept; all those
of the views go first of which none was agreed for longest."""

REPAIR = "Run `msglog verify --repair`."
"""What to do about a damaged file of a store."""

REPAIR_FOREIGN = "If it was one, run `msglog verify --repair`."
"""What to do about a file that is no store, or that damage makes look so."""


class StoreError(LocalError):
    """The store cannot be opened, read or written on this machine."""


class StoreFormatError(StoreError):
    """The store was written by a newer msglog, or is not a msglog store."""


class ForeignStoreError(StoreFormatError):
    """The file is no store of msglog's, or damage makes it look so."""


class StoreBusyError(StoreError):
    """Another process held the store for longer than the time limit."""

    temporary = True


class StoreGoneError(StoreError):
    """The store was removed while it was open, or another one is in its place."""


class ReadOnlyStoreError(StoreError):
    """The store can be read by this process, and not written."""


class OverQuotaError(RefusedError):
    """A change would take a user over their quota; nothing of it was done."""

    def __init__(self, user: str) -> None:
        super().__init__(f"{user} would be over their quota")


class MissingObjectError(IntegrityError):
    """An object that an index or a ref names is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"object {name} is missing",
            hint="Run `msglog verify` to see what else is damaged.",
        )


@dataclass(frozen=True, slots=True)
class Ref:
    """What a ref points to: a root and the number of keys below it."""

    root: ObjectId
    count: int


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """A compare-and-swap of one ref; old None: it must not exist, new None: it is deleted."""

    name: str
    old: ObjectId | None
    new: Ref | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A root that both sides of a transfer have computed.

    peer: `repository:HEX` at a client, `user:NAME` at a server.
    view: the first key of the view that the root is of; FIRST_KEY for the whole log.
    """

    peer: str
    log: str
    view: Key
    root: ObjectId


@dataclass(frozen=True, slots=True)
class Receipt:
    """Who delivered messages, and how; local, never hashed.

    time: microseconds since 1970 UTC. key: the fingerprint of the SSH key, or "".
    """

    user: str
    time: int
    log: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one user was the first to deliver: how many messages, and their bytes."""

    messages: int = 0
    size: int = 0

    def plus(self, messages: int, size: int) -> Usage:
        """Return what it is with more messages."""
        return Usage(self.messages + messages, self.size + size)


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one user may deliver; None is without bound.

    user: whose deliveries are counted, by an identity that outlasts a change of name; "" is the
    user of the receipt.
    """

    messages: int | None = None
    size: int | None = None
    user: str = ""

    def allows(self, usage: Usage) -> bool:
        """Tell whether that much is within the quota."""
        return (self.messages is None or usage.messages <= self.messages) and (
            self.size is None or usage.size <= self.size
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that a peer refused, with its reason: a code for programs and a text for people."""

    key: Key
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The messages of a log that a peer refuses, to be replaced as a whole for these keys."""

    peer: str
    log: str
    refused: tuple[Refusal, ...] = ()
    accepted: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic change of a store: all of it is durable, or nothing of it happened.

    time: when, in microseconds since 1970 UTC. reason: one line for the reflog.
    quota: what the user of the receipt may have delivered afterwards, all in all.
    """

    time: int
    reason: str
    messages: Mapping[Key, bytes] = field(default_factory=dict)
    nodes: Mapping[ObjectId, bytes] = field(default_factory=dict)
    refs: Sequence[RefUpdate] = ()
    receipt: Receipt | None = None
    agreed: Sequence[Agreement] = ()
    held_back: Sequence[HeldBack] = ()
    quota: Quota | None = None

    @property
    def counted_user(self) -> str:
        """Whose usage new messages are added to; "" for nobody's."""
        if self.receipt is None or not self.messages:
            return ""
        return (self.quota.user if self.quota is not None else "") or self.receipt.user


@dataclass(frozen=True, slots=True)
class Committed:
    """The change is durable."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Another writer was first: nothing was changed; `ref` now points to `actual`."""

    ref: str
    actual: Ref | None


@dataclass(frozen=True, slots=True)
class ReflogEntry:
    """One past value of a ref; time in microseconds since 1970 UTC."""

    root: ObjectId
    count: int
    time: int
    reason: str


class Store(Protocol):
    """A place for messages, index nodes, refs and agreed roots.

    Reads see what was committed last; nothing is locked between calls. Methods that return data
    have checked them against their ids and raise DamagedObjectError; `find_nodes` and
    `find_messages`, for verification, have not. However a store keeps messages, they are read as
    they were written; what cannot be read so any more is read as no bytes, which is no object.
    """

    @property
    def identity(self) -> bytes:
        """16 random bytes made with the repository, by which peers know it again."""

    def read_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return all these nodes; raises MissingObjectError or DamagedObjectError."""

    def read_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return all these messages; raises MissingObjectError or DamagedObjectError."""

    def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
        """Return the first of these messages, and as many after it as byte_limit has room for.

        The keys ascend or descend. So a reader goes through a log of large messages without
        holding many of them. Raises MissingObjectError or DamagedObjectError.
        """

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return the raw bytes of those nodes that are there, unchecked."""

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the raw bytes of those messages that are there, unchecked."""

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """Return who delivered those of these messages that came from elsewhere."""

    def commit(self, commit: Commit) -> Committed | Lost:
        """Write all of a change durably, if each of its refs still has its old value.

        What the quota's user, or else the receipt's, has delivered is counted with it; raises
        OverQuotaError if new messages would be more than the quota allows, whoever else writes at
        the same time.
        """

    def settled(self, read: Callable[[], _Read]) -> _Read:
        """Return what `read` reads here, and only when that is as durable as what is committed.

        A server in a cluster shows changes, after a failure, that its standbys have not got yet:
        whoever says because of them that something is stored says it of one machine. `read` may be
        called again.
        """

    def exclusively(self, refs: Sequence[str], work: Callable[[], _Read]) -> _Read:
        """Return what `work` returns, and meanwhile move these refs for nobody else.

        For one who has lost to others, where all would lose again and again to the one who is
        first: what work reads and then commits is not lost to them. It may be called again.
        """

    def usage(self, user: str) -> Usage:
        """Return what a user was the first to deliver."""

    def ref(self, name: str) -> Ref | None:
        """Return one ref."""

    def refs(self, prefix: str = "") -> dict[str, Ref]:
        """Return the refs whose names begin with prefix, sorted by name."""

    def reflog(self, name: str, limit: int) -> list[ReflogEntry]:
        """Return the past values of a ref, newest first, at most limit."""

    def in_reflog(self, name: str, root: ObjectId) -> bool:
        """Tell whether a ref ever pointed to root, as far as the reflog remembers."""

    def agreed(self, peer: str, log: str, view: Key) -> list[ObjectId]:
        """Return the roots agreed with a peer, newest first."""

    def held_back(self, peer: str, log: str) -> list[Refusal]:
        """Return the messages that a peer refused last, in the order of their keys."""

    def indexed(self, log: str) -> ObjectId:
        """Return the root up to which the look-up by id knows a log."""

    def extend_index(self, log: str, root: ObjectId, keys: Iterable[Key]) -> None:
        """Add keys to the look-up by id, and remember that it now knows root."""

    def look_up(self, abbreviation: str, limit: int) -> list[Key]:
        """Return the keys whose ids begin with these hex digits, at most limit."""

    def collect(
        self,
        retention: Retention,
        *,
        dry_run: bool = False,
        progress: StepsDone | None = None,
    ) -> Collected:
        """Remove what no root reaches and no session may still use; or only say how much it is.

        Roots are the refs, their reflog, agreed roots, what the look-up by id knows, and roots that
        were given up less than the grace ago. Others may read and write meanwhile; killed at any
        point, what is left is whole. Raises MissingObjectError or DamagedObjectError, and removes
        nothing, where a ref's index cannot be walked. progress: told how many of all messages were
        looked at.
        """

    def condense(self, *, progress: StepsDone | None = None) -> Condensed:
        """Compress messages, and give space that is not needed back to the file system.

        What is read is the same before, meanwhile and afterwards. progress: told how many of those
        that are plain were looked at.
        """

    def held_keys(self) -> Iterator[Key]:
        """Yield the keys of all messages that are there, sound or not, in order."""

    def forget_agreed(self, log: str) -> None:
        """Forget all roots that were agreed about a log, with whomever."""

    def snapshot(self, path: str, *, progress: BytesDone | None = None) -> None:
        """Write all, as it is at one moment, into a new file that `SqliteStore.open` opens.

        Others may read and write meanwhile, and are not waited for. The file is not yet durable.
        Raises StoreError where path exists or cannot be written, and DamagedStoreError.
        """

    def notice(self) -> Notice:
        """Return what tells one who waits that others change refs; to be closed before the store.

        Made before the refs are read, it misses nothing that comes after. Raises StoreError.
        """

    def size(self) -> int:
        """Return how many bytes the store takes where it is kept."""

    def faults(self, beat: Beat | None = None) -> Iterator[str]:
        """Yield what is damaged of what the store keeps for itself, in words, for verification.

        beat: called now and then while that is looked for, by stores that can.
        """

    def close(self) -> None:
        """Free what the store holds; harmless when said twice."""
