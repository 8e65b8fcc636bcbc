"""What clients are told of errors says nothing of the machine."""

from msglog.objectid import DamagedObjectError, ObjectId
from msglog.store.sqlite_link import DamagedStoreError
from msglog.store.store import MissingObjectError, StoreBusyError, StoreError
from plumbing.complaint import peer_error


def test_no_path_of_the_server_reaches_a_client() -> None:
    path = "/home/server/.msglog-server/repositories/main/store.db"
    for error in (
        DamagedStoreError(f"{path} is damaged", why="malformed"),
        StoreError(f"cannot use {path}", why="disk I/O error"),
        StoreBusyError(f"{path} is busy"),
    ):
        assert "/" not in peer_error(error).text


def test_which_object_is_damaged_is_told() -> None:
    name = "ab" * 32
    for error in (
        DamagedObjectError(ObjectId(bytes.fromhex(name)), where="in the store"),
        MissingObjectError(name),
    ):
        told = peer_error(error)
        assert (told.code, name in told.text) == ("damaged", True)
