"""What a client remembers of a remote: agreed roots, tracking refs, messages held back."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError
from msglog.index.change import Index, merge, slice_from, splice
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import count
from msglog.key import FIRST_KEY, LAST_KEY, TIME_BYTES, Key
from msglog.refname import log_ref, tracking_ref
from msglog.repository import overlay
from msglog.store.store import Agreement, Ref
from msglog.wire.events import HAVE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msglog.index.node import NodeReader
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from msglog.store.store import HeldBack

NOTHING_KNOWN = Ref(EMPTY_ROOT, 0)
"""What a remote that was never met is known to hold."""

_NEWEST = 6
_FEW = 16
"""How many messages may travel twice to save a root (65 bytes) in each request."""


@dataclass(frozen=True, slots=True)
class Remote:
    """One remote as a client knows it.

    name: as in `remotes.NAME`, or "" for a bare URL, which has no tracking refs.
    repository: the 16 bytes by which the remote's repository is known again.
    """

    name: str
    repository: bytes

    @property
    def peer(self) -> str:
        """Under what agreed roots and held-back messages are kept."""
        return f"repository:{self.repository.hex()}"


class Tracking:
    """One log of one remote, seen from one repository.

    clock: microseconds since 1970 UTC. view: the first key of the part that is meant. before: of
    our own log, only what lies before this key; None for all of it.
    """

    def __init__(
        self,
        repository: Repository,
        remote: Remote,
        log: str,
        *,
        clock: Callable[[], int],
        view: Key = FIRST_KEY,
        before: Key | None = None,
    ) -> None:
        self.before = before
        self.repository = repository
        self.remote = remote
        self.log = log
        self.view = view
        self.clock = clock

    @property
    def ref(self) -> str:
        """The tracking ref, or "" for a bare URL."""
        return tracking_ref(self.remote.name, self.log) if self.remote.name else ""

    def known(self) -> Ref:
        """Return what the remote is known to hold of the log."""
        found = self.repository.store.ref(self.ref) if self.ref else None
        return found or NOTHING_KNOWN

    def local(self) -> Ref:
        """Return the log of our own; empty if there is none of that name."""
        return self.repository.store.ref(log_ref(self.log)) or Ref(EMPTY_ROOT, 0)

    def is_new_and_empty(self) -> bool:
        """Tell whether we have such a log without any message, which the remote never had."""
        store = self.repository.store
        ref = store.ref(log_ref(self.log))
        seen = self.ref and store.ref(self.ref) is not None
        return ref is not None and not ref.count and not seen

    def part(self) -> Index:
        """Return that part of our own log which is meant, and the nodes made for it."""
        read, local = self.repository.store.read_nodes, self.local()
        if self.before is not None:
            return splice(read, local.root, EMPTY_ROOT, self.before)
        if self.view != FIRST_KEY:
            return slice_from(read, local.root, self.view)
        return Index(local.root, local.count, {})

    def meant(self, known: Ref) -> Index:
        """Return that part of what the remote was known to hold which is meant."""
        if self.before is not None:
            return Index(EMPTY_ROOT, 0, {})
        if self.view != FIRST_KEY:
            return slice_from(self.repository.store.read_nodes, known.root, self.view)
        return Index(known.root, known.count, {})

    def older(self) -> Tracking:
        """Return what is remembered of our messages from before the view."""
        return Tracking(self.repository, self.remote, self.log, clock=self.clock, before=self.view)

    def has_older(self) -> bool:
        """Tell whether we have messages from before the view."""
        return self.view != FIRST_KEY and self.older().part().count > 0

    def have(self) -> tuple[ObjectId, ...]:
        """Return the roots to offer as base: our own, then agreed ones, newest first.

        After the newest few, agreed roots are taken ever further apart, so that a remote which was
        restored from a backup still finds one that it knows.
        """
        agreed = self._agreed()
        spaced = agreed[:_NEWEST]
        position = 2 * _NEWEST
        while position < len(agreed):
            spaced.append(agreed[position])
            position *= 2
        return tuple(dict.fromkeys([*self._own(), *spaced]))[:HAVE_LIMIT]

    def have_first(self) -> tuple[ObjectId, ...]:
        """Return those of `have` to offer first, nearly always enough: the newest agreed root.

        Our own comes before it, unless it has about as many messages: should the remote hold it
        all the same, those few travel once more, which is less than each session would pay for it.
        """
        own, agreed = self._own(), self._agreed()[:1]
        if agreed and self._is_near(agreed[0]):
            return tuple(agreed)
        return tuple(dict.fromkeys([*own, *agreed]))

    def have_further(self, offered: Sequence[ObjectId]) -> tuple[ObjectId, ...]:
        """Return the roots to offer to a remote that holds none of those offered."""
        return tuple([root for root in self.have() if root not in offered])

    def _own(self) -> list[ObjectId]:
        """Return our own root; of a view, only where no root of it was agreed yet."""
        if self.before is not None or (self.view != FIRST_KEY and self._agreed()):
            return []
        part = self.part()
        if part.nodes:  # our log may go on before the remote answers that this is the base
            self.repository.commit([], time=self.clock(), reason="offered", nodes=part.nodes)
        return [part.root] if part.root != EMPTY_ROOT else []

    def _agreed(self) -> list[ObjectId]:
        store = self.repository.store
        agreed = store.agreed(self.remote.peer, self.log, self._place)
        if self.before is not None:  # from when the whole log was meant
            agreed += store.agreed(self.remote.peer, self.log, self.view)
        return [root for root in agreed if root != EMPTY_ROOT]

    @property
    def _place(self) -> Key:
        """The view under which roots are remembered; for what is older, one that is none.

        So the whole log, should it be meant one day, is not begun from the little that was older.
        """
        if self.before is None:
            return self.view
        return Key(self.before[:TIME_BYTES] + LAST_KEY[TIME_BYTES:])

    def has_agreed(self, root: ObjectId) -> bool:
        """Tell whether it is remembered that both sides have computed root."""
        return root in self.repository.store.agreed(self.remote.peer, self.log, self._place)

    def _is_near(self, root: ObjectId) -> bool:
        """Return whether our log has nearly as many messages as an index, or as many."""
        local = self.local()
        if root == local.root:
            return True
        try:
            there = count(self.repository.store.read_nodes, root)
        except IntegrityError:
            return False
        return abs(local.count - there) <= _FEW

    def agree(
        self,
        root: ObjectId,
        *,
        reason: str,
        nodes: dict[ObjectId, bytes] | None = None,
        held_back: Sequence[HeldBack] = (),
    ) -> None:
        """Remember that both sides have computed root."""
        self.repository.commit(
            [],
            time=self.clock(),
            reason=reason,
            nodes=nodes,
            agreed=[Agreement(self.remote.peer, self.log, self._place, root)],
            held_back=held_back,
        )

    def learn(self, root: ObjectId, *, reason: str) -> None:
        """Remember that the remote holds all that an index of ours has, and maybe more."""
        if self.ref:
            self.repository.merge_into_ref(self.ref, root, time=self.clock(), reason=reason)

    def settled(self, read: NodeReader, ref: Ref) -> Index:
        """Return what the remote is known to hold once it is seen to hold exactly ref of the view.

        Of what lies before the view it is what was known already. The nodes are those made for it.
        """
        if self.view == FIRST_KEY:
            return Index(ref.root, ref.count, {})
        return splice(read, self.known().root, ref.root, self.view)

    def held(self) -> tuple[ObjectId, dict[ObjectId, bytes]]:
        """Return the index of all that we hold of what is meant, and the nodes made for it."""
        part, known = self.part(), self.meant(self.known())
        made = {**part.nodes, **known.nodes}
        index = merge(overlay(self.repository.store.read_nodes, made), part.root, known.root)
        made.update(index.nodes)
        return index.root, made
