"""Fetching single messages of a log once more, by their keys, or whatever lies below some paths."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.salvage import is_below
from msglog.key import FIRST_KEY, KEY_BYTES
from msglog.wire import batch
from msglog.wire.descent import coarsen
from msglog.wire.events import PATH_LIMIT, Batch, End, Fetch, Transfer
from plumbing.navigation import ask_for_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msglog.index.change import Path
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from plumbing.session import Session

_NIBBLES = 2 * KEY_BYTES


class UnfitAnswerError(IntegrityError):
    """The remote sent something else than it was asked for."""


class Source:
    """A remote that may have what is missing here, in a session.

    view: the first key of what our logs have of others' messages. shares: tells which logs those
    are that we have of it.
    """

    def __init__(
        self,
        session: Session,
        view: Key = FIRST_KEY,
        shares: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._session = session
        self._view = view
        self._listed = {ref.log: ref for ref in session.list_refs()}
        self.logs = [log for log in self._listed if shares(log)]
        """The logs that may be listed and are shared."""

    def fetch(
        self, log: str, gaps: Sequence[Path], keys: Sequence[Key]
    ) -> Iterator[dict[Key, bytes]]:
        """Yield the messages that the remote has of those keys, and below those paths, in batches.

        Below paths, of those from the view on. Each was checked: its key is computed from its
        bytes.
        """
        listed = self._listed.get(log)
        if listed is None or not listed.count:
            return
        wanted = set(keys)
        single = [(_NIBBLES, bytes(key)) for key in keys]
        if self._view == FIRST_KEY:
            requests = [_request(log, listed.root, [*gaps, *single], FIRST_KEY)]
        else:
            requests = [_request(log, listed.root, single, FIRST_KEY)] if single else []
            if gaps:
                seen = ask_for_view(self._session, log, self._view)
                requests.append(_request(log, seen.root, gaps, self._view))
        for request in requests:
            for found in self._take(request):
                yield {
                    key: data
                    for key, data in found.items()
                    if key in wanted or (key >= self._view and is_below(key, gaps))
                }

    def _take(self, request: Fetch) -> Iterator[dict[Key, bytes]]:
        self._session.send(request)
        head = self._session.expect(Transfer)
        if head.log != request.log:
            raise UnfitAnswerError("the remote answers for another log")
        messages = 0
        while isinstance(part := self._session.expect(Batch, End), Batch):
            messages += part.messages
            if head.count is None or messages > head.count:
                raise UnfitAnswerError("the remote sends more messages than it said")
            yield batch.unpack(part.content, part.messages)


def _request(log: str, root: ObjectId, paths: Sequence[Path], view: Key) -> Fetch:
    if len(paths) > PATH_LIMIT:
        paths = coarsen(paths, PATH_LIMIT)
    if (0, b"") in paths:
        return Fetch(log, view=view)
    return Fetch(log, view=view, root=root, wants=tuple(paths))
