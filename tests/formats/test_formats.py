"""Stores and accounts of every format there was: opened, upgraded, read, written, exchanged."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.audit import records
from msglog.account.database import FORMAT as ACCOUNT_FORMAT
from msglog.account.database import AccountFormatError
from msglog.account.policy import policies
from msglog.account.record import UserGrant
from msglog.account.role import Role
from msglog.inspection import Inspection
from msglog.key import FIRST_KEY, key_object_id
from msglog.message import Foreign, Message, decode_object
from msglog.repository import Repository
from msglog.sqlite_file import LocksError
from msglog.store.collection import Retention
from msglog.store.sqlite_schema import FORMAT
from msglog.store.store import StoreFormatError
from msglog.store.waiting import open_waiting
from tests.formats.make import COMMITS, dump, restore
from tests.plumbing.peers import Client, Server, add, keys, message

STORES = [name for name in COMMITS if name.startswith("store")]
ROOT = "fe4a4d4cb50fa6d16c4baaa02d8e249af99d81c8e8f77d31a3f00604f8a9186d"
PEER = "repository:" + "ab" * 16
START = 1_600_000_000_000_000
YEARS = 10 * 365 * 24 * 3600 * 1_000_000


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        ((number,),) = connection.execute("PRAGMA user_version")
        return int(number)


def faults(repository: Repository) -> list[object]:
    inspection = Inspection(repository)
    refs = repository.store.refs()
    return [
        *repository.store.faults(),
        *[one for name in refs for one in inspection.check_ref(name, refs[name], remember=False)],
    ]


@pytest.fixture(params=STORES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    restore(request.param, tmp_path / "store.db")
    return tmp_path


@pytest.fixture
def repository(folder: Path) -> Iterator[Repository]:
    opened = Repository.open(folder)
    yield opened
    opened.close()


def check(repository: Repository) -> None:
    """Look at all that was written once."""
    assert repository.store.identity == bytes(range(16))
    assert {log.name: log.count for log in repository.logs()} == {"main": 73, "team/ops": 0}
    log = repository.log("main")
    assert log.root.hex() == ROOT
    found = dict(repository.messages(repository.keys(log.root)))
    *plain, tagged, seal, must = map(decode_object, found.values())
    assert [one.body for one in plain if isinstance(one, Message)] == [
        f"{number} \u00e5ngstr\u00f6m" for number in range(70)
    ]
    assert isinstance(tagged, Message)
    assert (tagged.tags, tagged.meta) == (("beam", "lab"), {"ok": True, "t": 1.5})
    assert tagged.reply_to == key_object_id(min(found))
    assert isinstance(seal, Foreign)
    assert isinstance(must, Foreign)
    receipts = repository.store.receipts(sorted(found))
    assert {key: one.user for key, one in receipts.items()} == dict.fromkeys(
        sorted(found)[70:], "ben"
    )
    (refusal,) = repository.store.held_back(PEER, "main")
    assert (refusal.key, refusal.why) == (max(found), "no holograms")
    (agreed,) = repository.store.agreed(PEER, "main", FIRST_KEY)
    assert [entry.root for entry in repository.store.reflog("refs/logs/main", 9)][1] == agreed
    assert repository.store.in_reflog("refs/remotes/origin/main", agreed)
    assert repository.find(key_object_id(max(found)).hex()[:12]) == [max(found)]
    assert faults(repository) == []


def test_it_is_read_whole_and_is_of_this_format_afterwards(
    repository: Repository, folder: Path
) -> None:
    check(repository)
    assert version(folder / "store.db") == FORMAT


def test_it_is_written_tidied_and_read_again(repository: Repository, folder: Path) -> None:
    add(repository, message(1), message(2))
    count = repository.log("main").count
    repository.store.collect(Retention(START + 2 * YEARS, YEARS))
    repository.store.condense()
    repository.close()
    again = Repository.open(folder)
    assert again.log("main").count == count == 75
    assert faults(again) == []
    again.close()


def test_it_is_exchanged(repository: Repository) -> None:
    """With what is not understood here, which is carried byte for byte."""
    server = Server()
    old, new = Client(1, server), Client(2, server)
    old.repository = repository
    new.add(message(1))
    new.push()
    old.push()
    new.pull()
    old.pull()
    assert keys(old.repository) == keys(new.repository) == keys(server.repository)
    assert len(keys(old.repository)) == 74
    assert dict(new.repository.messages(iter(sorted(keys(new.repository))))) == dict(
        repository.messages(iter(sorted(keys(repository))))
    )
    assert faults(repository) == []


def test_it_is_read_where_locks_do_not_work_and_stays(folder: Path) -> None:
    before = [*dump(folder / "store.db")]
    store, _ = open_waiting(str(folder / "store.db"), LocksError("no locks"))
    repository = Repository(store, folder)
    check(repository)
    add(repository, message(1))
    assert repository.log("main").count == 74
    repository.close()
    assert [*dump(folder / "store.db")] == before
    taken = Repository.open(folder)
    assert taken.log("main").count == 74
    taken.close()


def test_one_of_the_next_format_is_refused_and_not_touched(folder: Path) -> None:
    path = folder / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreFormatError, match="newer msglog") as caught:
            Repository.open(folder)
        assert caught.value.exit_status == 7
        assert len(str(caught.value).splitlines()) == 1
        with pytest.raises(StoreFormatError, match="newer msglog"):
            open_waiting(str(path), LocksError("no locks"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", [name for name in COMMITS if name.startswith("account")])
def test_an_account_is_read_and_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "account.db"
    restore(name, path)
    for turn in range(2):
        account = Account.open(tmp_path)
        assert {user.name: user.role for user in account.users()} == {
            "ann": Role.ADMIN,
            "ben": Role.WRITE if turn else Role.READ,
        }
        (key,) = account.keys_of("ann")
        assert key.key.comment == "ann@lab"
        assert account.grants() == [UserGrant("ben", "main", "team/*", Role.WRITE)]
        (policy,) = policies(account.database)
        assert (policy.name, policy.value) == ("max-message-bytes", "1000")
        (record,) = records(account.database, limit=9)
        assert (record.time, record.act.operation) == (START + 3, "push")
        account.set_role("ben", Role.WRITE)
        account.close()
    assert version(path) == ACCOUNT_FORMAT
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {ACCOUNT_FORMAT + 1}")
    with pytest.raises(AccountFormatError, match="newer msglog") as caught:
        Account.open(tmp_path)
    assert caught.value.exit_status == 7
