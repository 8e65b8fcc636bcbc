"""Backup files: a tar archive that says what it is and has the SHA-256 of all that is in it.

First comes a manifest, then the files of a repository or of a server account, then their digests
as `sha256sum` writes them. docs/adr/0013-backups.md says why.
"""

from __future__ import annotations

import json
import os
import tarfile
from hashlib import sha256
from io import BytesIO

from msglog.account.account import DATABASE_NAME, REPOSITORIES_NAME
from msglog.account.name import is_repository_name
from msglog.annotation import TYPE_CHECKING, cast
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError, LocalError
from msglog.key import SECOND
from msglog.layout import CONFIG_NAME, STORE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO, BinaryIO

    from msglog.store.collection import BytesDone

MANIFEST_NAME = "msglog-backup.json"
SUMS_NAME = "SHA256SUMS"
FORMAT = 1
"""The version of what is in the archive; a backup of a newer one is refused."""

REPOSITORY = "repository"
ACCOUNT = "account"

_KEY = "msglog_backup"
_KINDS = (REPOSITORY, ACCOUNT)
_MANIFEST_LIMIT = 1 << 16
_SUMS_LIMIT = 64 << 20
_PART = 1 << 20


class ForeignFileError(LocalError):
    """A file is not a backup of msglog's, or not one of the kind that is wanted."""


class BackupFormatError(LocalError):
    """A backup was made by a newer msglog."""


class DamagedBackupError(IntegrityError):
    """A backup is cut off, or has other bytes than were put into it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    kind: REPOSITORY or ACCOUNT. identity: of the repository, in hex; "" for an account, which has
    none. time: when it was made, in RFC 3339. version: of the msglog that made it.
    """

    kind: str
    identity: str
    time: str
    version: str

    def encode(self) -> bytes:
        """Return it as JSON."""
        fields = {
            _KEY: FORMAT,
            "kind": self.kind,
            "identity": self.identity,
            "time": self.time,
            "version": self.version,
        }
        return (json.dumps(fields, indent=2) + "\n").encode()


class _Hashing:
    """A file of which everything that is read is hashed.

    before: bytes of other files that were read before; tell: is told how many that is now.
    """

    def __init__(self, file: IO[bytes], tell: Callable[[int], None], before: int) -> None:
        self._file = file
        self._hash = sha256()
        self._tell = tell
        self.size = before

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        self.size += len(data)
        self._tell(self.size)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


class _Writer:
    """An archive that is being written. time: of its files, in seconds since 1970 UTC."""

    def __init__(self, archive: tarfile.TarFile, time: int, tell: Callable[[int], None]) -> None:
        self._archive = archive
        self._time = time
        self._tell = tell
        self._size = 0
        self._sums: list[str] = []

    def put(self, name: str, content: IO[bytes], size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = size
        entry.mtime = self._time
        entry.mode = 0o600
        reading = _Hashing(content, self._tell, self._size)
        self._archive.addfile(entry, cast("IO[bytes]", reading))
        self._size = reading.size
        self._sums.append(f"{reading.digest()}  {name}\n")

    def finish(self) -> None:
        sums = "".join(self._sums).encode()
        self.put(SUMS_NAME, BytesIO(sums), len(sums))


def write(
    file: BinaryIO,
    manifest: Manifest,
    folder: str,
    names: Sequence[str],
    *,
    time: int,
    progress: BytesDone = lambda _done, _whole: None,
) -> None:
    """Write a backup of these files of a folder, which do not change meanwhile.

    time: microseconds since 1970 UTC. Raises OSError.
    """
    whole = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    # A tar archive has no times before 1970.
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        writer = _Writer(archive, max(time, 0) // SECOND, lambda done: progress(done, whole))
        said = manifest.encode()
        writer.put(MANIFEST_NAME, BytesIO(said), len(said))
        for name in names:
            with open(os.path.join(folder, name), "rb") as content:
                writer.put(name, content, os.fstat(content.fileno()).st_size)
        writer.finish()


def unpack(
    file: BinaryIO, folder: str, *, label: str, tell: Callable[[int], None] = lambda _: None
) -> tuple[Manifest, list[str]]:
    """Take a backup apart into a folder, which is there and empty; return what files there are.

    label: what to call the backup in errors. tell: is told how many bytes were read. All digests
    are checked, and what is written is durable. Raises ForeignFileError, BackupFormatError,
    DamagedBackupError, and OSError where the folder cannot be written.
    """
    reader = _Reader(folder, label, tell)
    try:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for entry in archive:
                content = (
                    archive.extractfile(entry) if entry.type in tarfile.REGULAR_TYPES else None
                )
                if content is None or entry.type == tarfile.GNUTYPE_SPARSE:
                    raise reader.damaged("it has what is not a file")
                reader.take(entry, content)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
        if reader.manifest is None:
            raise reader.foreign() from error
        raise reader.damaged("it is cut off, or the heads of its files are") from error
    return reader.finish()


class _Reader:
    """An archive that is being read: each file is written into the folder as it comes."""

    def __init__(self, folder: str, label: str, tell: Callable[[int], None]) -> None:
        self._folder = folder
        self._label = label
        self._tell = tell
        self._size = 0
        self.manifest: Manifest | None = None
        self._sums: dict[str, str] = {}
        self._listed: bytes | None = None

    def take(self, entry: tarfile.TarInfo, content: IO[bytes]) -> None:
        name = entry.name
        if self.manifest is None:
            if name != MANIFEST_NAME or entry.size > _MANIFEST_LIMIT:
                raise self.foreign()
            said = content.read()
            self.manifest = self._decode(said)
            self._sums[name] = sha256(said).hexdigest()
        elif self._listed is not None or name in self._sums:
            raise self.damaged("it has a file twice, or one behind its end")
        elif name == SUMS_NAME:
            if entry.size > _SUMS_LIMIT:
                raise self.damaged("its list of digests is too long")
            self._listed = content.read()
        elif _is_expected(name, self.manifest.kind):
            self._sums[name] = self._write(name, content, entry.size)
        else:
            raise self.damaged("it has a file that belongs to no backup")

    def _write(self, name: str, content: IO[bytes], size: int) -> str:
        path = os.path.join(self._folder, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        reading = _Hashing(content, self._tell, self._size)
        with open(os.open(path, flags, 0o600), "wb") as file:
            while part := reading.read(_PART):
                size -= len(part)
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        self._size = reading.size
        if size:
            raise self.damaged("it is cut off")
        return reading.digest()

    def finish(self) -> tuple[Manifest, list[str]]:
        if self.manifest is None:
            raise self.foreign()
        if self._listed is None:
            raise self.damaged("its end is missing")
        expected = "".join([f"{digest}  {name}\n" for name, digest in self._sums.items()])
        if self._listed != expected.encode("utf-8", "surrogateescape"):
            raise self.damaged("a file in it has another SHA-256")
        names = [name for name in self._sums if name != MANIFEST_NAME]
        main = STORE_NAME if self.manifest.kind == REPOSITORY else DATABASE_NAME
        if main not in names:
            raise self.damaged(f"{main} is missing in it")
        return self.manifest, names

    def _decode(self, data: bytes) -> Manifest:
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self.foreign() from error
        if not isinstance(fields, dict) or not isinstance(version := fields.get(_KEY), int):
            raise self.foreign()
        if version > FORMAT:
            raise BackupFormatError(
                f"{self._label} was made by a newer msglog",
                why=f"it has format {version}, this version knows up to {FORMAT}",
                hint="Install a newer msglog.",
            )
        names = ("kind", "identity", "time", "version")
        said = [value for name in names if isinstance(value := fields.get(name), str)]
        if len(said) != len(names) or said[0] not in _KINDS:
            raise self.foreign()
        return Manifest(*said)

    def foreign(self) -> ForeignFileError:
        return ForeignFileError(f"{self._label} is not a backup of msglog's")

    def damaged(self, why: str) -> DamagedBackupError:
        return DamagedBackupError(
            f"{self._label} is damaged", why=why, hint="Nothing was restored; take another backup."
        )


def _is_expected(name: str, kind: str) -> bool:
    """Tell whether a backup of this kind may have a file of this name."""
    if kind == REPOSITORY:
        return name in (STORE_NAME, CONFIG_NAME)
    if name == DATABASE_NAME:
        return True
    folder, _, last = name.removeprefix(f"{REPOSITORIES_NAME}/").rpartition("/")
    return (
        name.startswith(f"{REPOSITORIES_NAME}/")
        and last in (STORE_NAME, CONFIG_NAME)
        and is_repository_name(folder)
    )
