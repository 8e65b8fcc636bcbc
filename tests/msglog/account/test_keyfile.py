"""Rewriting a file: old or new, never half, whoever else is there and whatever fails."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msglog.account import keyfile
from msglog.account.keyfile import KeyFileError, alone, change_mode, read, rewrite

LEFT = {"authorized_keys", ".authorized_keys.msglog-lock"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o700)
    return folder / "authorized_keys"


def append(data: bytes) -> bytes:
    return data + b"new\n"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_file_and_folder_are_made_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "home" / "authorized_keys"
    assert read(path) == b""
    assert rewrite(path, append)
    assert path.read_bytes() == b"new\n"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_mode_is_kept_and_nothing_is_left_behind(path: Path) -> None:
    for given in (0o600, 0o644, 0o400):
        path.unlink(missing_ok=True)
        path.write_bytes(b"old\n")
        path.chmod(given)
        assert rewrite(path, append)
        assert path.read_bytes() == b"old\nnew\n"
        assert mode(path) == given
    assert {entry.name for entry in path.parent.iterdir()} == LEFT


def test_the_owner_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"old\n")
    kept: list[tuple[int, int]] = []
    real = os.fstat

    def of_somebody(descriptor: int) -> os.stat_result:
        values = list(real(descriptor))
        if len(opened) % 2 == 0:
            values[4] += 1
        opened.append(descriptor)
        return os.stat_result(values)

    opened: list[int] = []
    monkeypatch.setattr(os, "fchown", lambda _, *owner: kept.append(owner))
    snapshot = keyfile._snapshot(path)
    monkeypatch.setattr(os, "fstat", of_somebody)
    with path.open("rb") as file:
        keyfile._keep_owner(file.fileno(), snapshot, path.parent)
    assert kept == [(path.stat().st_uid, path.stat().st_gid)]


def test_what_root_makes_belongs_to_whose_folder_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda _, *owner: given.append(owner))
    path = tmp_path / ".ssh" / "authorized_keys"
    rewrite(path, append)
    # The folder, the lock and the file.
    assert given == [(tmp_path.stat().st_uid, tmp_path.stat().st_gid)] * 3
    given.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    rewrite(path, append)
    assert given == []


def test_nothing_is_written_where_nothing_changes(path: Path) -> None:
    path.write_bytes(b"old\n")
    before = path.stat()
    assert not rewrite(path, lambda data: data)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"old\n")
    path.symlink_to(real)
    assert rewrite(path, append)
    assert path.is_symlink()
    assert real.read_bytes() == b"old\nnew\n"


def test_a_dangling_symbolic_link_gets_its_file(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "real")
    assert rewrite(path, append)
    assert path.is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new\n"


def test_links_in_a_circle_are_refused(path: Path) -> None:
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)
    with pytest.raises(KeyFileError):
        rewrite(path, append)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    for action in (lambda: read(path), lambda: rewrite(path, append)):
        with pytest.raises(KeyFileError):
            action()


def test_a_file_that_is_too_large_is_refused(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(keyfile.FILE_BYTES + 1)
    with pytest.raises(KeyFileError, match="too large"):
        rewrite(path, append)


def test_a_change_from_outside_is_taken_up(path: Path) -> None:
    path.write_bytes(b"old\n")
    seen: list[bytes] = []

    def change(data: bytes) -> bytes:
        if not seen:
            path.write_bytes(b"theirs\n")
        seen.append(data)
        return append(data)

    assert rewrite(path, change)
    assert seen == [b"old\n", b"theirs\n"]
    assert path.read_bytes() == b"theirs\nnew\n"


def test_a_file_that_appears_meanwhile_is_taken_up(path: Path) -> None:
    def change(data: bytes) -> bytes:
        if not path.exists():
            path.write_bytes(b"theirs\n")
        return append(data)

    assert rewrite(path, change)
    assert path.read_bytes() == b"theirs\nnew\n"


def test_a_mode_that_is_changed_meanwhile_is_taken_up(path: Path) -> None:
    path.write_bytes(b"old\n")
    path.chmod(0o644)

    def change(data: bytes) -> bytes:
        if mode(path) == 0o644:
            path.chmod(0o600)
        return append(data)

    assert rewrite(path, change)
    assert mode(path) == 0o600


def test_a_file_that_never_rests_is_left_alone(path: Path) -> None:
    path.write_bytes(b"")
    count: list[int] = []

    def change(data: bytes) -> bytes:
        count.append(1)
        path.write_bytes(b"theirs %d\n" % len(count))
        return append(data)

    with pytest.raises(KeyFileError, match="keeps changing"):
        rewrite(path, change)
    assert path.read_bytes() == b"theirs %d\n" % len(count)
    assert {entry.name for entry in path.parent.iterdir()} == LEFT


@pytest.mark.parametrize("step", ["fsync", "fchmod", "write"])
def test_a_full_disk_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path.write_bytes(b"old\n")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "write":
        monkeypatch.setattr(os, "fdopen", fail_to_write(os.fdopen))
    else:
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(KeyFileError, match="No space left"):
        rewrite(path, append)
    monkeypatch.undo()
    assert path.read_bytes() == b"old\n"
    assert {entry.name for entry in path.parent.iterdir()} == LEFT


def fail_to_write(real: Callable[..., Any]) -> Callable[..., Any]:
    """An fdopen whose files take nothing."""

    def open_full(descriptor: int, kind: str, **options: Any) -> Any:
        if kind == "rb":
            return real(descriptor, kind, **options)
        os.close(descriptor)
        return Path("/dev/full").open("wb")

    return open_full


def test_file_and_folder_are_on_disk_in_this_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, bytes | None]] = []

    def watch(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append((is_folder, path.read_bytes() if path.exists() else None))

    monkeypatch.setattr(os, "fsync", watch)
    rewrite(path, append)
    assert synced == [(False, None), (True, b"new\n")]


def test_what_a_killed_writer_left_is_no_obstacle(path: Path) -> None:
    path.write_bytes(b"old\n")
    path.with_name(".authorized_keys.msglog-new").write_bytes(b"half")
    assert rewrite(path, append)
    assert path.read_bytes() == b"old\nnew\n"
    assert {entry.name for entry in path.parent.iterdir()} == LEFT


@pytest.mark.parametrize("step", ["fchmod", "fsync"])
def test_a_writer_killed_at_any_step_leaves_the_old_file(path: Path, step: str) -> None:
    path.write_bytes(b"old\n")
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from msglog.account import keyfile\n"
        f"keyfile.os.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "keyfile.rewrite(Path(sys.argv[1]), lambda data: data + b'new')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old\n"
    assert rewrite(path, append)
    assert path.read_bytes() == b"old\nnew\n"
    assert {entry.name for entry in path.parent.iterdir()} == LEFT


def test_only_one_writer_at_a_time(path: Path) -> None:
    with path.with_name(".authorized_keys.msglog-lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(KeyFileError, match="another msglog"):
            rewrite(path, append, lock_seconds=0)
    assert rewrite(path, append, lock_seconds=0)


def test_many_writers_at_once_lose_nothing(path: Path) -> None:
    def write(number: int) -> None:
        rewrite(path, lambda data: data + b"%d\n" % number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, path.read_bytes().split())) == list(range(16))


def test_an_error_of_the_change_leaves_the_old_file(path: Path) -> None:
    path.write_bytes(b"old\n")

    def change(data: bytes) -> bytes:
        raise KeyFileError(f"no {data!r}")

    with pytest.raises(KeyFileError, match="no b'old"):
        rewrite(path, change)
    assert path.read_bytes() == b"old\n"


def test_a_mode_is_changed_bit_by_bit(path: Path) -> None:
    path.write_bytes(b"old\n")
    path.chmod(0o066)
    change_mode(path, os.geteuid(), clear=0o022, add=0o400)
    assert mode(path) == 0o444
    path.chmod(0)  # even what cannot be opened
    change_mode(path, os.geteuid(), clear=0, add=0o600)
    assert mode(path) == 0o600
    change_mode(path.parent, os.geteuid(), clear=0o070, add=0o2000)
    assert mode(path.parent) == 0o2700


@pytest.mark.parametrize("kind", ["link", "pipe", "missing", "another's"])
def test_nothing_else_gets_another_mode(path: Path, kind: str) -> None:
    real = path.with_name("real")
    real.write_bytes(b"")
    real.chmod(0o666)
    owner = os.geteuid()
    if kind == "link":
        path.symlink_to(real)
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "another's":
        path.write_bytes(b"")
        path.chmod(0o600)
        owner += 1
    with pytest.raises(KeyFileError, match="cannot change the mode"):
        change_mode(path, owner, clear=0o022, add=0o444)
    assert mode(real) == 0o666
    assert kind in ("link", "missing") or mode(path) == 0o600


def test_nobody_rewrites_what_is_held(path: Path) -> None:
    with alone(path), pytest.raises(KeyFileError, match="another msglog"):
        rewrite(path, append, lock_seconds=0)
    assert rewrite(path, append, lock_seconds=0)
    with pytest.raises(KeyFileError, match="cannot lock"), alone(path / "below"):
        pass


def test_nothing_is_made_beside_what_is_no_file(tmp_path: Path) -> None:
    """Locks lay in /dev and in / afterwards; that of / itself could not even be named."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/"), tmp_path / "folder", tmp_path / "pipe"):
        for use in (lambda: rewrite(path, append), lambda: alone(path).__enter__()):  # noqa: B023 - called at once
            with pytest.raises(KeyFileError) as caught:
                use()
            assert str(caught.value).startswith(f"cannot use {path} (it is not a regular file)")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "pipe"]
