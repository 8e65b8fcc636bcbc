"""`backup` and `restore`: from a folder into a file, and back."""

import errno
import os
import sqlite3
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from msglog.backup import Manifest
from msglog.folder import Locked
from msglog.repository import Repository
from plumbing.context import Context
from porcelain import archive
from porcelain.cli import main
from tests.porcelain.conftest import CommandLine


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    for number in range(3):
        cli.ok("add", "-q", f"message {number}")
    cli.ok("logs", "new", "-q", "lab")
    cli.ok("add", "-q", "--log", "lab", "in the lab")
    cli.ok("config", "set", "user.author", "ann")
    return cli


def names(cli: CommandLine) -> set[str]:
    return set(os.listdir(cli.folder))


def identity(folder: Path) -> bytes:
    repository = Repository.open(folder)
    found = repository.store.identity
    repository.close()
    return found


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-29T11:22:52.196341+00:00", "2026-11-29 12:22:52 +0100"),
        ("2026-11-29T11:22:52-05:00", "2026-11-29 17:22:52 +0100"),
        ("yesterday", "yesterday"),
        ("some day\x1b[2J", "some day\\x1b[2J"),
    ],
)
def test_the_time_of_a_backup_is_on_the_users_clocks(time: str, shown: str) -> None:
    streams = BytesIO(), BytesIO(), BytesIO()
    context = Context("/", "/", *streams, local_offset=lambda _: 60)
    assert archive.as_of(Manifest("repository", "ab" * 16, time, "1"), context) == shown


def test_there_and_back(filled: CommandLine) -> None:
    listed = filled.ok("list", "--json") + filled.ok("list", "--log", "lab", "--json")
    assert filled.ok("backup", "one").startswith("Backed up 4 messages, ")
    assert (filled.folder / "one").stat().st_mode & 0o777 == 0o600
    assert filled.ok("restore", "one", "elsewhere/deep").startswith("Restored 4 messages as of ")
    there = ("-C", "elsewhere/deep")
    assert (
        filled.ok(*there, "list", "--json") + filled.ok(*there, "list", "--log", "lab", "--json")
        == listed
    )
    assert filled.ok(*there, "config", "get", "user.author") == "ann\n"
    restored = filled.folder / "elsewhere" / "deep" / ".msglog"
    assert identity(restored) == identity(filled.folder / ".msglog")
    assert set(os.listdir(restored)) == {"store.db", "config.toml"}
    assert restored.stat().st_mode & 0o777 == 0o700
    assert filled.ok(*there, "verify").count("sound") == 2
    filled.ok(*there, "add", "more")
    assert names(filled) == {".msglog", "one", "elsewhere"}


def test_json_and_quiet(filled: CommandLine) -> None:
    (made,) = filled.run("backup", "one", "--json").json()
    assert made == {"file": "one", "messages": 4, "bytes": (filled.folder / "one").stat().st_size}
    (checked,) = filled.run("restore", "-n", "one", "--json").json()
    assert (checked["path"], checked["messages"], checked["aside"]) == (None, 4, None)
    assert filled.ok("backup", "-q", "two") == ""
    assert filled.ok("restore", "-q", "two", "x") == ""
    (done,) = filled.run("restore", "--json", "one", "y").json()
    assert done["path"] == str(filled.folder / "y" / ".msglog")
    assert done["repository"] == identity(filled.folder / ".msglog").hex()


def test_through_a_pipe(filled: CommandLine) -> None:
    out, error = BytesIO(), BytesIO()
    assert main(["backup", "-"], filled.environment, BytesIO(), out, error) == 0
    assert error.getvalue().startswith(b"Backed up 4 messages")
    assert filled.ok("restore", "-", "x", stdin=out.getvalue()).startswith("Restored 4")
    assert set(os.listdir(filled.folder / ".msglog")) == {"config.toml", "store.db"}


def test_a_file_is_not_written_over_unless_asked(filled: CommandLine) -> None:
    filled.ok("backup", "one")
    before = (filled.folder / "one").read_bytes()
    assert "--force" in filled.fails(7, "backup", "one")
    assert (filled.folder / "one").read_bytes() == before
    filled.ok("add", "-q", "more")
    assert filled.ok("backup", "--force", "one").startswith("Backed up 5")
    assert "ordinary" in filled.fails(7, "backup", "--force", ".msglog")
    assert "ordinary" in filled.fails(7, "backup", "--force", "/dev/null")
    (filled.folder / "link").symlink_to("one")
    assert filled.ok("backup", "--force", "link").startswith("Backed up 5")
    assert (filled.folder / "link").is_symlink()
    (filled.folder / "link").unlink()
    assert names(filled) == {".msglog", "one"}


def test_a_file_that_comes_meanwhile_is_not_written_over(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = archive.gather_repository

    def slowly(*arguments: Any) -> Any:
        (filled.folder / "one").write_bytes(b"theirs")
        return gather(*arguments)

    monkeypatch.setattr("porcelain.backup.gather_repository", slowly)
    filled.fails(7, "backup", "one")
    assert (filled.folder / "one").read_bytes() == b"theirs"
    assert names(filled) == {".msglog", "one"}


def test_a_disk_without_links(filled: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.link", link)
    filled.ok("backup", "one")
    filled.ok("restore", "one", "x")
    filled.fails(7, "backup", "one")


def test_a_damaged_repository_leaves_the_older_backup(filled: CommandLine) -> None:
    filled.ok("backup", "one")
    before = (filled.folder / "one").read_bytes()
    connection = sqlite3.connect(filled.folder / ".msglog" / "store.db")
    connection.execute(
        "UPDATE messages SET data = zeroblob(9) WHERE key = (SELECT max(key) FROM messages)"
    )
    connection.commit()
    connection.close()
    said = filled.fails(5, "backup", "--force", "one")
    assert "damaged" in said
    assert "verify" in said
    assert (filled.folder / "one").read_bytes() == before
    assert names(filled) == {".msglog", "one"}


def test_what_is_there_is_left_alone_or_put_aside(filled: CommandLine) -> None:
    filled.ok("backup", "one")
    filled.ok("add", "-q", "only here")
    listed = filled.ok("list", "--json")
    assert "--replace" in filled.fails(7, "restore", "one")
    assert filled.ok("list", "--json") == listed
    said = filled.ok("restore", "--replace", "one")
    assert filled.ok("logs") == "lab   1\nmain  3\n"
    (aside,) = names(filled) - {".msglog", "one"}
    command = said.split("`")[1].split(" ")
    assert command[:2] == ["msglog", "pull"]
    assert command[2].endswith(aside)
    filled.ok(*command[1:])
    assert filled.ok("list", "--json") == listed


def test_an_empty_folder_is_no_obstacle(filled: CommandLine) -> None:
    filled.ok("backup", "one")
    (filled.folder / "x" / ".msglog").mkdir(parents=True)
    filled.ok("restore", "one", "x")
    (filled.folder / "y").mkdir()
    (filled.folder / "y" / ".msglog").symlink_to(filled.folder / "x")
    filled.fails(7, "restore", "one", "y")
    (filled.folder / "z").write_text("")
    filled.fails(7, "restore", "one", "z")


@pytest.mark.parametrize("dry", [True, False])
def test_a_damaged_backup_puts_nothing_in_place(filled: CommandLine, dry: bool) -> None:  # noqa: FBT001
    filled.ok("backup", "one")
    data = bytearray((filled.folder / "one").read_bytes())
    before = filled.ok("list", "--json")
    for at in range(700, len(data), len(data) // 40):
        changed = bytearray(data)
        changed[at] ^= 16
        (filled.folder / "two").write_bytes(changed)
        words = ["restore", "--replace", "two", *(["-n"] if dry else [])]
        result = filled.run(*words)
        assert result.status in (0, 5, 7)
        if result.status == 0:
            # Nothing that anybody reads: what fills up the last block of a file.
            assert not any(data[at - at % 512 + 511 : at - at % 512 + 512])
            continue
        assert filled.ok("list", "--json") == before
    assert names(filled) >= {".msglog", "one", "two"}


def test_a_backup_whose_store_is_unsound_though_its_digests_are_right(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sqlite3.connect(filled.folder / ".msglog" / "store.db")
    connection.execute("DELETE FROM messages WHERE key = (SELECT max(key) FROM messages)")
    connection.commit()
    connection.close()
    with monkeypatch.context() as patched:
        patched.setattr(archive, "check_sound", lambda *_, **__: 0)
        filled.ok("backup", "one")
    assert "missing" in filled.fails(5, "restore", "one", "x")
    assert names(filled) == {".msglog", "one"}


def test_errors_name_the_file(filled: CommandLine) -> None:
    (filled.folder / "no").write_bytes(b"hello")
    assert filled.fails(7, "restore", "no", "x").startswith("no is not a backup")
    assert "nowhere" in filled.fails(7, "restore", "nowhere", "x")
    assert "nowhere" in filled.fails(7, "restore", "nowhere")
    assert "there is no folder" in filled.fails(7, "backup", "no-folder/one")
    filled.fails(2, "backup")
    filled.fails(2, "restore")
    assert names(filled) == {".msglog", "no"}


@pytest.mark.parametrize("where", ["snapshot", "write", "link", "replace"])
def test_a_failure_anywhere_leaves_nothing_behind(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    filled.ok("backup", "old")
    before = (filled.folder / "old").read_bytes()
    if where == "snapshot":

        def no_room(_connection: object, path: str, **_: object) -> None:
            Path(path).write_bytes(b"half")
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr("msglog.store.sqlite.copy_into", no_room)
    elif where == "write":
        monkeypatch.setattr("msglog.backup.write", full)
    else:
        monkeypatch.setattr(f"os.{where}", full)
    for words in (["backup", "new"], ["backup", "--force", "old"]):
        result = filled.run(*words)
        if result.status == 0:
            assert where in ("link", "replace")  # the other of the two was used
            os.unlink(filled.folder / "new") if "new" in words else None
            continue
        assert result.status == 7, result
        assert names(filled) == {".msglog", "old"}
    if where != "link":
        assert (filled.folder / "old").read_bytes() == before


def test_what_a_killed_one_left_is_removed_unless_somebody_works_there(
    filled: CommandLine,
) -> None:
    filled.ok("backup", "one")
    for place, words in (("one", ("backup", "one")), ("x/.msglog", ("restore", "one", "x"))):
        left, busy, other = (
            filled.folder / f"{place}.new-{end}" for end in ("0" * 8, "1" * 8, "000000zz0")
        )
        for path in (left, busy, other):
            path.mkdir(parents=True)
            (path / "file").write_text("")
        with Locked(busy):
            filled.run(*words)
        assert not left.exists()
        assert (busy / "file").exists()
        assert (other / "file").exists()
    assert filled.ok("-C", "x", "logs") == filled.ok("logs")


def test_the_first_of_two_renamings_is_taken_back(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.ok("backup", "one")
    filled.ok("add", "-q", "more")
    rename = os.rename

    def second_fails(old: str, new: str) -> None:
        if ".new-" in old:
            raise OSError(errno.EIO, "Input/output error")
        rename(old, new)

    monkeypatch.setattr("os.rename", second_fails)
    filled.fails(7, "restore", "--replace", "one")
    assert filled.ok("logs") == "lab   1\nmain  4\n"
    assert names(filled) == {".msglog", "one"}


def test_a_session_that_goes_on_writes_to_what_was_put_aside(filled: CommandLine) -> None:
    filled.ok("backup", "one")
    repository = Repository.open(filled.folder / ".msglog")
    filled.ok("restore", "--replace", "one")
    repository.create_log("late", time=1)
    repository.close()
    (aside,) = names(filled) - {".msglog", "one"}
    assert "late" in filled.ok("logs", environment={"MSGLOG_DIR": aside})
    assert "late" not in filled.ok("logs")


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every step be shown, however soon it comes."""
    monkeypatch.setattr("porcelain.progress._PATIENCE", 0.0)
    monkeypatch.setattr("porcelain.progress._INTERVAL", 0.0)
    monkeypatch.setattr("msglog.sqlite_progress.INSTRUCTIONS", 10)
    monkeypatch.setattr("msglog.inspection._READ_AT_ONCE", 1)


@pytest.mark.usefixtures("talkative")
def test_how_far_it_has_come_is_shown_on_demand(filled: CommandLine) -> None:
    def shown(*words: str) -> list[str]:
        done = filled.run(*words, "--progress")
        assert done.status == 0, done
        stages = ("Copying", "Checking", "Writing", "Reading")
        return sorted([one for one in stages if one in done.error], key=done.error.find)

    assert shown("backup", "one") == ["Copying", "Checking", "Writing"]
    assert shown("restore", "one", "x") == ["Reading", "Checking"]
    assert shown("backup", "one", "--force", "-q") == []
    assert filled.run("restore", "one", "y").error == ""
    assert "4/4" in filled.run("restore", "one", "z", "--progress").error


def test_a_folder_whose_name_is_not_utf_8_is_backed_up(cli: CommandLine) -> None:
    cli.ok("init", "-q", "\udcff")
    cli.ok("-C", "\udcff", "add", "x", "-q")
    cli.ok("-C", "\udcff", "backup", "b.tar")
    cli.ok("-C", "\udcff", "restore", "b.tar", "back")
    assert cli.ok("-C", "\udcff/back", "logs") == "main  1\n"
