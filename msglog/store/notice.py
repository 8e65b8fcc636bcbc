"""The notice of a store: how somebody who waits learns that a ref may have changed.

A server that has a watching client, and a command that watches a repository of its own, would
otherwise have to ask the store again and again. Whoever waits makes one, reads the refs, and then
waits for it; each kind of store has its own.
"""

from __future__ import annotations

from msglog.annotation import Protocol


class Notice(Protocol):
    """Tells one who waits that refs may have changed since it was made, or since it said so last.

    A commit that changes a ref is never missed, whichever process makes it: the descriptor becomes
    readable soon after it, or else `changed` says so when `seconds` are over. It may also say so
    where nothing that matters has changed: who waits reads the refs then, and goes on waiting.

        notice = store.notice()
        while True:
            look_at(store.refs())
            while not notice.changed():
                poll(notice.fileno(), notice.seconds)
    """

    @property
    def seconds(self) -> float:
        """After how many seconds to ask `changed` again, whatever the descriptor says."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when `changed` is to be asked.

        -1 where there is none: then to ask every so many `seconds` is all that one can do. It may
        be another one after each call of `changed`.
        """

    def changed(self) -> bool:
        """Tell whether there may be news, and take note of them: the descriptor is at rest then.

        Raises StoreError where the store is gone, or is not the same one any more.
        """

    def close(self) -> None:
        """Free what it holds; harmless when said twice. Writers never notice that it was there."""
