"""Bringing tables of stores that an older msglog has made to the form of `postgres_schema`."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.store.postgres_schema import FORMAT, NOTING

if TYPE_CHECKING:
    from msglog.postgres_link import Attempt, Link

_KEYS = {
    "repositories": "name",
    "refs": "name",
    "reflog": "name",
    "usage": '"user"',
    "agreed": "peer log",
    "held_back": "peer log",
    "looked_up": "log",
}
"""The keys that are texts, which format 1 had in the order of the database's language."""

_FROM_1 = (
    # First of all: whoever moves a ref has a lock there. Sessions of a msglog that notes no roots
    # for gc, and has opened the tables before, find no gate under its old name, and end.
    "ALTER TABLE gates RENAME COLUMN gate TO number",
    *(
        f'ALTER TABLE {table} ALTER COLUMN {name} TYPE TEXT COLLATE "C"'
        for table, names in _KEYS.items()
        for name in names.split()
    ),
    *NOTING,
)


def upgrade(link: Link) -> None:
    """Upgrade the tables in one transaction, unless somebody else just does, whom this waits for.

    Nobody reads or writes meanwhile: indexes are made anew, rows stay as they are.
    """

    def work(_: Attempt) -> None:
        link.take_time()
        ((known,),) = link.select("SELECT format FROM store_format FOR UPDATE")
        if known >= FORMAT:
            return
        for statement in _FROM_1:
            link.execute(statement)
        link.execute("UPDATE store_format SET format = $1", FORMAT)

    link.run(work)
