"""Fetching single messages of a log once more, by their keys, or whatever lies below some paths."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.salvage import is_below
from msglog.key import KEY_BYTES
from msglog.wire import batch
from msglog.wire.descent import coarsen
from msglog.wire.events import PATH_LIMIT, Batch, End, Fetch, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.index.change import Path
    from msglog.key import Key
    from plumbing.session import Session

_NIBBLES = 2 * KEY_BYTES


class UnfitAnswerError(IntegrityError):
    """The remote sent something else than it was asked for."""


class Source:
    """A remote that may have what is missing here, in a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._listed = {ref.log: ref for ref in session.list_refs()}

    @property
    def logs(self) -> list[str]:
        """The logs that may be listed."""
        return list(self._listed)

    def fetch(
        self, log: str, gaps: Sequence[Path], keys: Sequence[Key]
    ) -> Iterator[dict[Key, bytes]]:
        """Yield the messages that the remote has of those keys, and below those paths, in batches.

        Each was checked: its key is computed from its bytes.
        """
        listed = self._listed.get(log)
        if listed is None or not listed.count:
            return
        paths: Sequence[Path] = [*gaps, *[(_NIBBLES, bytes(key)) for key in keys]]
        if len(paths) > PATH_LIMIT:
            paths = coarsen(paths, PATH_LIMIT)
        if (0, b"") in paths:
            request = Fetch(log)
        else:
            request = Fetch(log, root=listed.root, wants=tuple(paths))
        self._session.send(request)
        head = self._session.expect(Transfer)
        if head.log != log:
            raise UnfitAnswerError("the remote answers for another log")
        messages = 0
        while isinstance(part := self._session.expect(Batch, End), Batch):
            messages += part.messages
            if head.count is None or messages > head.count:
                raise UnfitAnswerError("the remote sends more messages than it said")
            found = batch.unpack(part.content, part.messages)
            wanted = set(keys)
            yield {key: data for key, data in found.items() if key in wanted or is_below(key, gaps)}
