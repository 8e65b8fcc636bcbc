"""The commands that are attacked where the server account is in PostgreSQL."""

from dataclasses import replace

from tests.crash.operations import OPERATIONS, Operation, server

SMALL_SLICES = """\
import msglog.store.postgres_collection, porcelain.admin.gc
msglog.store.postgres_collection.SLICE = 4
porcelain.admin.gc.microseconds = lambda _: 0
"""

NOTICING = frozenset({"key-add", "key-remove", "key-rotate", "user-add", "user-remove"})
"""Which say that a connection was lost: whether they had changed something cannot be known. Whatever
else loses one does not show it."""

_AS_IN_FILES = (
    *("push", "push-near", "pull", "pull-near", "sync", "sync-near", "clone", "clone-near"),
    *("key-add", "key-remove", "key-rotate", "user-add", "user-remove"),
    *("admin-backup", "admin-restore"),
)

POSTGRES_OPERATIONS = {
    **{name: OPERATIONS[name] for name in _AS_IN_FILES},
    **{
        operation.name: operation
        for operation in [
            replace(OPERATIONS["admin-gc"], patch=SMALL_SLICES),
            Operation(
                "admin-init-store",
                ("admin", "init", "fresh", "--store", "{store}"),
                server,
                weight=2,
            ),
            Operation(
                "migrate-to-store",
                ("admin", "migrate", "fresh", "--store", "{store}", "--account", "files"),
                server,
                settled=(7,),
                weight=2,
            ),
            Operation(
                "migrate-to-files",
                ("admin", "migrate", "fresh", "--account", "account"),
                server,
                settled=(7,),
                weight=2,
            ),
        ]
    },
}
