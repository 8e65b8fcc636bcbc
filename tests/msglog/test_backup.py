"""Backup files: what goes in comes out, and nothing that was changed on the way does."""

import io
import json
import random
import tarfile
from pathlib import Path

import pytest

from msglog import backup
from msglog.backup import (
    ACCOUNT,
    MANIFEST_NAME,
    REPOSITORY,
    SUMS_NAME,
    BackupFormatError,
    DamagedBackupError,
    ForeignFileError,
    Manifest,
)
from msglog.errors import MsglogError

SEED = 31
FLIPS = 400
MANIFEST = Manifest(REPOSITORY, "ab" * 16, "2026-01-01T00:00:00.000000+00:00", "0.1.0")
FILES = {"store.db": bytes(range(256)) * 9, "config.toml": b"[user]\n"}
LONG = "/".join(["x" * 64] * 4)
ACCOUNT_FILES = {
    "account.db": b"tables",
    "repositories/main/store.db": b"main",
    "repositories/team/ops/config.toml": b"config",
    f"repositories/{LONG}/store.db": b"long",
}


def pack(folder: Path, manifest: Manifest, files: dict[str, bytes], time: int = 10**15) -> bytes:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    file = io.BytesIO()
    backup.write(file, manifest, str(folder), list(files), time=time)
    return file.getvalue()


def unpack(data: bytes, folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    folder.mkdir()
    manifest, names = backup.unpack(io.BytesIO(data), str(folder), label="it")
    return manifest, {name: (folder / name).read_bytes() for name in names}


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    return pack(tmp_path / "source", MANIFEST, FILES)


@pytest.mark.parametrize("time", [10**15, 0, -(10**16), 2**62])
def test_what_goes_in_comes_out(tmp_path: Path, time: int) -> None:
    data = pack(tmp_path / "source", MANIFEST, FILES, time)
    assert unpack(data, tmp_path / "out") == (MANIFEST, FILES)
    assert (tmp_path / "out" / "store.db").stat().st_mode & 0o777 == 0o600


def test_an_account_with_long_names(tmp_path: Path) -> None:
    manifest = Manifest(ACCOUNT, "", MANIFEST.time, "0.1.0")
    data = pack(tmp_path / "source", manifest, ACCOUNT_FILES)
    assert unpack(data, tmp_path / "out") == (manifest, ACCOUNT_FILES)
    for name in ACCOUNT_FILES:
        assert (tmp_path / "out" / name).stat().st_mode & 0o077 == 0


def test_an_ordinary_tar_reads_it_and_sha256sum_checks_it(whole: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert archive.getnames() == [MANIFEST_NAME, *FILES, SUMS_NAME]
        listed = archive.extractfile(SUMS_NAME)
        assert listed is not None
        lines = listed.read().decode().splitlines()
        said = archive.extractfile(MANIFEST_NAME)
        assert said is not None
        assert json.load(said)["msglog_backup"] == backup.FORMAT
    assert [line.split("  ")[1] for line in lines] == [MANIFEST_NAME, *FILES]
    assert all(len(line.split("  ")[0]) == 64 for line in lines)


def test_any_changed_bit_is_found_or_changes_nothing(whole: bytes, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    for number in range(FLIPS):
        bit = chance.randrange(8 * len(whole))
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        try:
            found = unpack(bytes(data), tmp_path / str(number))
        except (DamagedBackupError, ForeignFileError):
            continue
        assert found == (MANIFEST, FILES), bit


def test_one_that_was_cut_off_anywhere(whole: bytes, tmp_path: Path) -> None:
    end = whole.rindex(SUMS_NAME.encode())
    for number, size in enumerate([*range(0, end + 512, 256), end + 600]):
        with pytest.raises((DamagedBackupError, ForeignFileError)):
            unpack(whole[:size], tmp_path / str(number))


def forged(entries: list[tarfile.TarInfo | tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
            else:
                made = tarfile.TarInfo(entry[0])
                made.size = len(entry[1])
                archive.addfile(made, io.BytesIO(entry[1]))
    return file.getvalue()


def special(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = target
    return entry


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "store.db/../../x", "repositories/../x/store.db", "other", "", "."]
)
def test_a_file_that_belongs_to_no_backup_is_not_written(name: str, tmp_path: Path) -> None:
    for kind in (REPOSITORY, ACCOUNT):
        manifest = Manifest(kind, "", "", "").encode()
        data = forged([(MANIFEST_NAME, manifest), (name, b"x")])
        with pytest.raises(DamagedBackupError):
            unpack(data, tmp_path / kind)
        assert list((tmp_path / kind).iterdir()) == []
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_what_is_no_file_is_not_made(kind: bytes, tmp_path: Path) -> None:
    data = forged([(MANIFEST_NAME, MANIFEST.encode()), special("store.db", kind, "/etc/passwd")])
    with pytest.raises(DamagedBackupError):
        unpack(data, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_twice_or_behind_the_end(tmp_path: Path) -> None:
    manifest = (MANIFEST_NAME, MANIFEST.encode())
    for number, more in enumerate(
        [[("store.db", b"1"), ("store.db", b"2")], [(SUMS_NAME, b""), ("store.db", b"1")]]
    ):
        with pytest.raises(DamagedBackupError, match="twice"):
            unpack(forged([manifest, *more]), tmp_path / str(number))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 10000,
        b'{"msglog_backup": "1"}',
        b'{"msglog_backup": 1, "kind": "other", "identity": "", "time": "", "version": ""}',
        b'{"msglog_backup": 1, "kind": [], "identity": "", "time": "", "version": ""}',
        b'{"msglog_backup": 1, "kind": "account", "identity": "", "time": 1, "version": ""}',
    ],
)
def test_what_is_no_backup(manifest: bytes, tmp_path: Path) -> None:
    with pytest.raises(ForeignFileError):
        unpack(forged([(MANIFEST_NAME, manifest)]), tmp_path / "out")


def test_other_files_are_no_backups(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"x" * 5000, forged([("store.db", b"")]), forged([])]):
        with pytest.raises(ForeignFileError):
            unpack(data, tmp_path / str(number))


def test_one_of_a_newer_msglog_is_refused(tmp_path: Path) -> None:
    fields = {**json.loads(MANIFEST.encode()), "msglog_backup": backup.FORMAT + 1}
    with pytest.raises(BackupFormatError, match="newer"):
        unpack(forged([(MANIFEST_NAME, json.dumps(fields).encode())]), tmp_path / "out")


def test_one_without_its_store(tmp_path: Path) -> None:
    data = pack(tmp_path / "source", MANIFEST, {"config.toml": b""})
    with pytest.raises(MsglogError, match=r"store\.db is missing"):
        unpack(data, tmp_path / "out")


def test_how_many_bytes_are_done_is_told(tmp_path: Path) -> None:
    pack(tmp_path / "source", MANIFEST, FILES)
    told: list[tuple[int, int | None]] = []
    file = io.BytesIO()
    folder = str(tmp_path / "source")
    backup.write(
        file, MANIFEST, folder, list(FILES), time=0, progress=lambda *both: told.append(both)
    )
    whole = sum(map(len, FILES.values()))
    assert {of for _, of in told} == {whole}
    done = [one for one, _ in told]
    assert done == sorted(done)
    assert done[-1] >= whole
    read: list[int] = []
    (tmp_path / "out").mkdir()
    file.seek(0)
    backup.unpack(file, str(tmp_path / "out"), label="it", tell=read.append)
    assert read == sorted(read)
    assert read[-1] == whole
