import os
from pathlib import Path

import pytest

from msglog.search import seal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "search.db"
    file.write_bytes(bytes(range(256)) * 40)
    return file


@pytest.fixture(params=["by its sum", "by its time"])
def sealed(path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "by its time":
        monkeypatch.setattr(seal, "BYTES_LIMIT", 100)
    seal.seal(str(path))
    return path


def test_what_is_as_it_was_is_whole(sealed: Path) -> None:
    assert not seal.is_broken(str(sealed))


def test_what_is_longer_or_shorter_is_not(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for data in (whole + b"\0", whole[:-1], b""):
        sealed.write_bytes(data)
        assert seal.is_broken(str(sealed))


def test_a_bit_that_is_another_one(path: Path) -> None:
    seal.seal(str(path))
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seal.is_broken(str(path))


def test_a_large_file_that_somebody_wrote_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "BYTES_LIMIT", 100)
    seal.seal(str(path))
    os.utime(path, ns=(0, 1))
    assert seal.is_broken(str(path))


def test_without_a_seal_nothing_is_known(sealed: Path) -> None:
    seal.unseal(str(sealed))
    seal.unseal(str(sealed))
    sealed.write_bytes(b"other")
    assert not seal.is_broken(str(sealed))


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_what_is_in_use_is_neither_sealed_nor_broken(path: Path, suffix: str) -> None:
    seal.seal(str(path))
    used = path.with_name(path.name + suffix)
    used.write_bytes(b"")
    path.write_bytes(b"other")
    assert not seal.is_broken(str(path))
    seal.unseal(str(path))
    seal.seal(str(path))
    used.unlink()
    assert not seal.is_broken(str(path))


def test_a_seal_is_not_set_over_another(sealed: Path) -> None:
    sealed.write_bytes(b"other")
    seal.seal(str(sealed))
    assert seal.is_broken(str(sealed))


def test_a_seal_that_was_cut_off_says_nothing(sealed: Path) -> None:
    sealed.with_name(f"search.db{seal.SUFFIX}").write_bytes(b"")
    assert not seal.is_broken(str(sealed))


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path) -> None:
    seal.seal(str(tmp_path / "missing" / "search.db"))
    assert not seal.is_broken(str(tmp_path / "missing" / "search.db"))
