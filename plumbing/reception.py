"""Receiving one transfer that a client pushes: each batch is judged, stored and made durable."""

from __future__ import annotations

from contextlib import suppress

from msglog.account.role import Capability
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.index.change import insert
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import count
from msglog.refname import log_ref
from msglog.repository import Insertion, LogExistsError, overlay
from msglog.store.store import Agreement, OverQuotaError, Receipt, Refusal
from msglog.wire import batch
from plumbing.complaint import ForgedTransferError
from plumbing.permissions import demand
from plumbing.policy import accept_all, excess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from msglog.index.change import Index
    from msglog.index.node import NodeReader
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from msglog.wire.events import Batch, Transfer
    from plumbing.permissions import Permissions
    from plumbing.policy import Policy, Rules


EMPTY_LOGS_LIMIT = 100
"""From so many empty logs on, further ones that are pushed are made with their first message."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a batch. size: the bytes of the messages that were taken.

    root: what the transfer has come to with what was accepted. refused: in the order of the keys.
    """

    messages: int
    size: int
    refused: tuple[Refusal, ...]
    root: ObjectId


class Reception:
    """One transfer: knows what the client declared, and what was accepted of it.

    read: the nodes of the store and of the session. rules: of a log, asked anew for each batch.
    clock: microseconds since 1970 UTC. key: the fingerprint of the client's SSH key, or "".
    """

    def __init__(
        self,
        transfer: Transfer,
        repository: Repository,
        permissions: Permissions,
        *,
        read: NodeReader,
        rules: Callable[[str], Rules],
        clock: Callable[[], int],
        key: str,
    ) -> None:
        self.log = transfer.log
        self.view = transfer.view
        self._target = transfer.root
        self._declared = self._accepted = transfer.base
        self._repository = repository
        self._permissions = permissions
        self._read = read
        self._rules = rules
        self._clock = clock
        self._key = key

    def is_complete(self) -> bool:
        """Tell whether all that the client declared has come."""
        return self._declared == self._target

    def make_empty_log(self) -> None:
        """Make the log if it was pushed without a message and is not there, unless there are many.

        Messages count against a quota, and empty logs do not.
        """
        if self._target != EMPTY_ROOT or self._repository.store.ref(log_ref(self.log)) is not None:
            return
        self._permissions.check()
        demand(self._permissions, Capability.APPEND, self.log)
        if sum(not log.count for log in self._repository.logs()) >= EMPTY_LOGS_LIMIT:
            return
        with suppress(LogExistsError):
            self._repository.create_log(self.log, time=self._clock())

    def take(self, event: Batch, nodes: Mapping[ObjectId, bytes]) -> Received:
        """Store what may be stored of a batch, durably; nodes: further ones to keep.

        Raises ForgedTransferError, NotAuthorisedError and what `Repository.commit` raises.
        """
        rules = self._rules(self.log)
        accepted = batch.unpack(event.content, event.messages)
        keys = list(accepted)
        if keys[0] < self.view:
            raise ForgedTransferError("a message lies before the view")
        refused: list[Refusal] = []
        if rules.policy is not accept_all:
            refused = _refusals(rules.policy, accepted)
            for refusal in refused:
                del accepted[refusal.key]
        made: dict[ObjectId, bytes] = {}
        read = overlay(self._read, made)
        declared = self._declare(read, event, keys)
        made.update(declared.nodes)
        while True:
            for refusal in excess(
                rules.quota, self._repository.store, self._permissions.user, accepted
            ):
                del accepted[refusal.key]
                refused.append(refusal)
            index = declared
            if refused or self._accepted != self._declared:
                index = insert(read, self._accepted, sorted(accepted))
            self._permissions.check()
            demand(self._permissions, Capability.APPEND, self.log)
            now = self._clock()
            try:
                self._repository.commit(
                    self._insertions(sorted(accepted), index),
                    time=now,
                    reason=f"push by {self._permissions.user}",
                    messages=accepted,
                    nodes={**nodes, **made, **index.nodes},
                    receipt=Receipt(self._permissions.user, now, self.log, self._key),
                    agreed=[
                        Agreement(f"user:{self._permissions.user}", self.log, self.view, index.root)
                    ],
                    quota=rules.quota,
                )
                break
            except OverQuotaError:
                continue  # another session of this user was first: see what fits now
        self._declared, self._accepted = declared.root, index.root
        refused.sort(key=lambda refusal: refusal.key)
        size = sum(map(len, accepted.values()))
        return Received(len(accepted), size, tuple(refused), index.root)

    def _declare(self, read: NodeReader, event: Batch, keys: Sequence[Key]) -> Index:
        """Return what the client comes to with a batch; raises where it has said another root."""
        declared = insert(read, self._declared, keys)
        if declared.count != count(read, self._declared) + len(keys):
            raise ForgedTransferError("a batch has a message that the base has already")
        if declared.root != event.root:
            raise ForgedTransferError(
                f"batch {event.number} does not come to the root that was said",
                why="a message is missing, or one too many",
            )
        return declared

    def _insertions(self, keys: Sequence[Key], index: Index) -> Sequence[Insertion]:
        """Return what a batch adds; a log of which all is refused is not made."""
        ref = log_ref(self.log)
        if not keys and self._repository.store.ref(ref) is None:
            return ()
        return (Insertion(ref, keys, (self._accepted, index)),)


def _refusals(policy: Policy, messages: Mapping[Key, bytes]) -> list[Refusal]:
    """Return the refusals of those messages that a policy does not take."""
    refused: list[Refusal] = []
    for key, data in messages.items():
        verdict = policy(batch.Item(key, data))
        if verdict is not None:
            refused.append(Refusal(key, *verdict))
    return refused
