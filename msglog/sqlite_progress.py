"""That SQLite gets on with one long statement."""

from __future__ import annotations

from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from msglog.store.collection import Beat

INSTRUCTIONS = 100_000
"""After how many steps of its machine SQLite is to say so: some milliseconds."""


@contextmanager
def attended(connection: sqlite3.Connection, beat: Beat | None) -> Iterator[None]:
    """Call beat now and then while statements of a connection run in the block.

    What beat raises stops the statement and comes out of the block, Ctrl-C too, for which Python
    has no other chance before the statement is over.
    """
    if beat is None:
        yield
        return
    raised: BaseException | None = None

    def tell() -> int:
        nonlocal raised
        try:
            beat()
        except BaseException as error:  # noqa: BLE001 - sqlite3 would keep it to itself
            raised = error
            return 1
        return 0

    connection.set_progress_handler(tell, INSTRUCTIONS)
    try:
        yield
    except Exception:
        if raised is not None:
            raise raised from None
        raise
    else:
        if raised is not None:  # somebody took it for a failure of SQLite
            raise raised
    finally:
        connection.set_progress_handler(None, 0)
