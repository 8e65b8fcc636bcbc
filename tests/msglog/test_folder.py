"""Folders that last."""

import errno
import os
from pathlib import Path

import pytest

from msglog import folder


def test_folders_are_made_with_those_above(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    folder.make(path, mode=0o700)
    folder.make(path, mode=0o700)
    assert path.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_mode & 0o077 != 0


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        folder.make(tmp_path / "file")


def test_the_names_of_new_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", fsync)
    folder.make(tmp_path / "a" / "b")
    assert synced[-2:] == [str(tmp_path), str(tmp_path / "a")]


@pytest.mark.parametrize(("error", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_only_a_file_system_that_cannot_sync_is_excused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, *, raised: bool
) -> None:
    def fsync(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", fsync)
    if raised:
        for act in (folder.sync, folder.make):
            with pytest.raises(OSError, match="Input/output"):
                act(tmp_path)
    else:
        folder.sync(tmp_path)


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LOCK_SECONDS", 0)
    with folder.Locked(tmp_path) as sure:
        assert sure
        with pytest.raises(TimeoutError, match="another process"), folder.Locked(tmp_path):
            pass
    with folder.Locked(tmp_path) as sure:
        assert sure


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_: int, __: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with folder.Locked(tmp_path) as sure:
        assert not sure
