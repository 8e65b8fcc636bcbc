"""Repositories on disks of other machines: locks that work, fail, hang or lie, and two machines."""

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from msglog.repository import Repository
from tests.shared.disk import Machine

COUNT = int(os.environ.get("MSGLOG_SHARED_ADDS", "12"))
"""How many messages each machine adds; hundreds with `make shared-disks`."""

FAILING = ("ENOLCK", "EOPNOTSUPP", "lie", "stick")


def bodies(machine: Machine) -> list[str]:
    lines = machine.run("list", "--json").stdout.splitlines()
    return sorted(json.loads(line)["body"] for line in lines)


def journal(folder: Path) -> str:
    connection = sqlite3.connect(folder / ".msglog" / "store.db")
    ((mode,),) = connection.execute("PRAGMA journal_mode")
    connection.close()
    return str(mode)


def incoming(folder: Path) -> list[Path]:
    return sorted((folder / ".msglog" / "incoming").glob("*.messages"))


def test_where_locks_work_all_is_as_usual_but_the_journal(good: Machine, home: Path) -> None:
    good.run("init")
    assert good.run("add", "one").stderr == ""
    assert bodies(good) == ["one"]
    assert journal(home) == "delete"
    assert not (home / ".msglog" / "incoming").exists()


def test_a_clone_that_brings_nothing_leaves_nothing(good: Machine, home: Path) -> None:
    done = good.run("clone", "./nowhere", "copy", status=4)
    assert "there is no folder" in done.stderr
    assert not (home / "copy").exists()


@pytest.mark.parametrize("kind", ["lustre", "fuse.mergerfs"])
def test_a_repository_that_was_made_at_home_is_switched(
    good: Machine, home: Path, kind: str
) -> None:
    local = replace(good, kind="ext4", options="rw")
    local.run("init")
    local.run("add", "one")
    assert journal(home) == "wal"
    replace(good, kind=kind, options="rw,flock").run("list")
    assert journal(home) == "delete"


def test_the_server_of_the_disk_does_not_switch_back_and_a_copy_is(
    good: Machine, home: Path
) -> None:
    good.run("init")
    server = replace(good, kind="ext4", options="rw", host="server")
    server.run("add", "one")
    assert journal(home) == "delete"
    store = home / ".msglog" / "store.db"
    copy = home / "copy.db"
    copy.write_bytes(store.read_bytes())
    copy.rename(store)
    server.run("add", "two")
    assert journal(home) == "wal"
    assert not store.with_name("store.db-shared").exists()
    assert bodies(good) == ["one", "two"]


def test_locks_are_tried_once_for_each_machine_and_mount(good: Machine, home: Path) -> None:
    good.run("init")
    remembered = home / ".msglog" / "locks"
    assert len(list(remembered.iterdir())) == 1
    # What was found is believed afterwards, which shows that it is not tried again.
    liar = replace(good, locks="lie")
    assert "locks do not work" not in liar.run("list").stderr
    assert "two processes got the same lock" in replace(liar, host="two").run("list").stderr
    assert (
        "two processes got" in replace(liar, options="rw,soft,local_lock=none").run("list").stderr
    )
    assert len(list(remembered.iterdir())) == 1


@pytest.mark.parametrize("locks", FAILING)
def test_what_is_added_waits_where_locks_do_not_work(good: Machine, home: Path, locks: str) -> None:
    good.run("init")
    good.run("add", "before")
    bad = replace(good, host="bad", locks=locks)
    done = bad.run("add", "one")
    assert "locks do not work" in done.stderr
    assert "incoming" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    bad.run("add", "-q", "two", "--log", "main")
    assert len(incoming(home)) == 2
    assert bodies(bad) == ["before", "one", "two"]
    assert "main: 3 messages" in bad.run("status").stdout
    assert "sound" in bad.run("verify").stdout
    identity = done.stdout.strip()
    assert "one" in bad.run("show", identity).stdout
    assert len(incoming(home)) == 2

    taken = good.run("status")
    assert "2 messages are taken in" in taken.stderr
    assert "main: 3 messages" in taken.stdout
    assert not (home / ".msglog" / "incoming").exists()
    assert bodies(good) == ["before", "one", "two"]
    assert "sound" in good.run("verify").stdout


def test_locks_that_never_answer_have_a_deadline(good: Machine, home: Path) -> None:
    hanging = replace(good, locks="hang")
    program = "import sys; from msglog.shared_disk import probe; print(probe(sys.argv[1], 0.2))"
    said = hanging.python(program, str(home / "probe"))
    assert said == "no answer to a lock in time\n"
    assert list(home.iterdir()) == []


def test_locks_that_reach_no_other_machine_are_told_by_the_mount(good: Machine, home: Path) -> None:
    good.run("init")
    for kind, options in (
        ("nfs4", "rw,local_lock=all"),
        ("nfs", "rw,nolock"),
        ("lustre", "rw,localflock"),
        ("cifs", "rw,nobrl"),
        ("fuse.sshfs", "rw"),
        ("beegfs", "rw"),
    ):
        machine = replace(good, kind=kind, options=options)
        assert "locks do not work" in machine.run("add", kind).stderr
    assert len(incoming(home)) == 6
    (home / ".msglog" / "trust-locks").touch()
    assert "6 messages are taken in" in replace(good, kind="beegfs").run("status").stderr


def test_what_else_writes_is_refused_where_locks_do_not_work(good: Machine, home: Path) -> None:
    good.run("init")
    bad = replace(good, host="bad", locks="ENOLCK")
    for words in (("logs", "new", "other"), ("gc",), ("logs", "rename", "main", "other")):
        assert "locks do not work" in bad.run(*words, status=7).stderr
    replace(bad, kind="nfs4").run("init", "elsewhere")  # nobody else knows the file yet
    assert (home / "elsewhere" / ".msglog" / "store.db").exists()


def test_a_server_account_is_not_opened_where_locks_do_not_work(good: Machine) -> None:
    good.run("admin", "init", "account")
    assert journal_of(good.folder / "account" / "account.db") == "delete"
    bad = replace(good, host="bad", locks="EOPNOTSUPP")
    done = bad.run("admin", "user", "list", "--account", "account", status=7)
    assert "locks do not work" in done.stderr


def journal_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    ((mode,),) = connection.execute("PRAGMA journal_mode")
    connection.close()
    return str(mode)


@pytest.mark.parametrize("links", ["none", "repeat"])
def test_a_disk_whose_links_are_odd(good: Machine, links: str) -> None:
    odd = replace(good, links=links)
    odd.run("init")
    odd.run("add", "one")
    odd.run("init")
    assert bodies(odd) == ["one"]


def test_a_log_that_was_left_by_a_crash_is_read_without_locks(good: Machine, home: Path) -> None:
    local = replace(good, kind="ext4", options="rw")
    local.run("init")
    local.run("add", "in the file")
    store = home / ".msglog" / "store.db"
    repository = Repository.open(store.parent)
    local.run("add", "in the log")  # this is open, so that the log stays
    left = {path.name: path.read_bytes() for path in store.parent.glob("store.db*")}
    repository.close()
    for name, data in left.items():
        if not name.endswith("-shm"):
            (store.parent / name).write_bytes(data)
    bad = replace(good, host="bad", locks="ENOLCK")
    bad.run("add", "waiting")
    assert bodies(bad) == ["in the file", "in the log", "waiting"]
    assert bodies(good) == ["in the file", "in the log", "waiting"]


@pytest.mark.parametrize("second", ["", "ENOLCK", "lie"])
def test_two_machines_at_once_lose_nothing(good: Machine, home: Path, second: str) -> None:
    good = replace(good, delay=200)
    good.run("init")
    others = replace(good, host="two", locks=second)
    writers = [
        machine.adding(f"{machine.host} {number}", COUNT)
        for machine in (good, others)
        for number in (1, 2)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=600)
        assert writer.returncode == 0, said
    good.run("status")
    assert bodies(good) == sorted(
        f"{host} {number} {count}"
        for host in ("one", "two")
        for number in (1, 2)
        for count in range(COUNT)
    )
    assert "sound" in good.run("verify").stdout
    assert incoming(home) == []


def test_what_a_journal_takes_back_is_read_without_locks(good: Machine, home: Path) -> None:
    good.run("init")
    good.run("add", "one")
    store = home / ".msglog" / "store.db"
    writer = sqlite3.connect(store, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    for table in ("messages", "nodes", "refs", "reflog"):
        writer.execute(f"DELETE FROM {table}")
    left = {path: path.read_bytes() for path in store.parent.glob("store.db*")}
    writer.execute("ROLLBACK")
    writer.close()
    for path, data in left.items():
        path.write_bytes(data)
    assert store.with_name("store.db-journal").stat().st_size
    assert bodies(replace(good, host="bad", locks="ENOLCK")) == ["one"]
