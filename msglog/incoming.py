"""Messages that wait beside a store that cannot be written, because locks do not work there.

Each addition is one file, whose name is the digest of what is in it: a line that says what it is, a
line with the log's name, then each object after its length in 8 bytes. It appears whole, under its
name, and is durable before anybody is told so. The first who can write the store takes all of them
in. To take one in twice changes nothing, so it is removed only once that is durable.
"""

from __future__ import annotations

import errno
import os
import stat

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.digest import digest
from msglog.errors import LocalError, MsglogError
from msglog.layout import INCOMING_NAME
from msglog.message import OBJECT_BYTES_LIMIT, object_key
from msglog.refname import check_log_name, log_ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msglog.key import Key
    from msglog.repository import Repository

MAGIC = b"msglog incoming 1\n"
DAMAGED_NAME = "damaged"
"""The folder within, of files that are not what their names say."""

_SUFFIX = ".messages"
_NAME_LENGTH = 64 + len(_SUFFIX)
_RANDOM_BYTES = 8
_UNFINISHED_LENGTH = _NAME_LENGTH + 1 + 2 * _RANDOM_BYTES
_LENGTH_BYTES = 8
_FILE_BYTES_LIMIT = 1 << 29
_COMMIT_MESSAGES = 4096
_COMMIT_BYTES = 64 << 20
_ATTEMPTS = 10
_LAST_TIME = 1 << 53
_MICROSECOND = 1000


class IncomingError(LocalError):
    """A message can be put neither into the store nor beside it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One addition that waits. time: of its file, in microseconds since 1970 UTC."""

    name: str
    log: str
    messages: dict[Key, bytes]
    time: int


def drop(folder: str, log: str, objects: Iterable[bytes]) -> str:
    """Let objects for a log wait in the folder of a repository, durably; return the file's name.

    Raises IncomingError.
    """
    parts = [MAGIC, log.encode(), b"\n"]
    for data in objects:
        parts += (len(data).to_bytes(_LENGTH_BYTES, "big"), data)
    content = b"".join(parts)
    name = f"{digest(content).hex()}{_SUFFIX}"
    incoming = os.path.join(folder, INCOMING_NAME)
    try:
        for attempt in range(_ATTEMPTS):
            try:
                _write(incoming, name, content)
                break
            except FileNotFoundError:  # who took all in has removed the folder meanwhile
                if attempt == _ATTEMPTS - 1:
                    raise
    except OSError as error:
        raise IncomingError(
            f"cannot put a message into {incoming}", why=error.strerror or str(error)
        ) from error
    return name


def _write(incoming: str, name: str, content: bytes) -> None:
    try:
        os.mkdir(incoming, 0o700)
    except FileExistsError:
        pass
    else:
        _sync(os.path.dirname(incoming))
    path = os.path.join(incoming, name)
    unfinished = f"{path}.{os.urandom(_RANDOM_BYTES).hex()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
                file.flush()
            os.fsync(descriptor)
        finally:
            os.close(descriptor)  # NFS says only here that the disk is full
        os.rename(unfinished, path)
    except BaseException:
        try:
            os.unlink(unfinished)
        except FileNotFoundError:
            pass
        raise
    _sync(incoming)


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def waiting(folder: str) -> Iterator[Waiting | str]:
    """Yield what waits in the folder of a repository, by name, and the names of damaged files.

    What goes away meanwhile was taken in by somebody else.
    """
    incoming = os.path.join(folder, INCOMING_NAME)
    try:
        names = sorted(os.listdir(incoming))
    except FileNotFoundError:
        return
    for name in names:
        if len(name) != _NAME_LENGTH or not name.endswith(_SUFFIX):
            continue  # unfinished, or nothing of ours
        try:
            data, time = _read(os.path.join(incoming, name))
        except OSError:  # taken in, or another user's: it waits for who may read it
            continue
        yield _parse(name, data, time) or name


def _read(path: str) -> tuple[bytes, int]:
    """Return what a file holds and when it was written; nothing of what is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return b"", 0
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _FILE_BYTES_LIMIT:
            return b"", 0
        time = max(0, min(_LAST_TIME, status.st_mtime_ns // _MICROSECOND))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_FILE_BYTES_LIMIT), time
    finally:
        os.close(descriptor)


def _parse(name: str, data: bytes, time: int) -> Waiting | None:
    """Return what a file says, None if anything of it is not as it must be."""
    if f"{digest(data).hex()}{_SUFFIX}" != name or not data.startswith(MAGIC):
        return None
    end = data.find(b"\n", len(MAGIC))
    try:
        log = check_log_name(data[len(MAGIC) : end].decode())
        messages = {object_key(one): one for one in _objects(data, end + 1)}
    except (MsglogError, ValueError):
        return None
    return Waiting(name, log, messages, time) if messages else None


def _objects(data: bytes, start: int) -> Iterator[bytes]:
    while start < len(data):
        begin = start + _LENGTH_BYTES
        end = begin + int.from_bytes(data[start:begin], "big")
        if begin > len(data) or end > len(data) or end - begin > OBJECT_BYTES_LIMIT:
            raise ValueError(start)
        yield data[begin:end]
        start = end


def remove(folder: str, names: Iterable[str]) -> None:
    """Remove files that are in the store now, durably, and the folder when it is empty."""
    incoming = os.path.join(folder, INCOMING_NAME)
    for name in names:
        try:
            os.unlink(os.path.join(incoming, name))
        except FileNotFoundError:
            pass
    try:
        os.rmdir(incoming)
    except OSError:
        pass  # somebody else's wait, or there is damage


def sweep(folder: str, before: int) -> None:
    """Remove what was never finished, because its writer was killed.

    before: microseconds since 1970 UTC; what is younger may still be being written.
    """
    incoming = os.path.join(folder, INCOMING_NAME)
    try:
        names = os.listdir(incoming)
    except OSError:
        return  # nothing waits, or what is wrong is told where it matters
    for name in names:
        path = os.path.join(incoming, name)
        if len(name) == _UNFINISHED_LENGTH and name[64:].startswith(f"{_SUFFIX}."):
            try:
                if os.lstat(path).st_mtime_ns // _MICROSECOND < before:
                    os.unlink(path)
            except OSError:
                continue
    remove(folder, ())


def set_aside(folder: str, name: str) -> str:
    """Move a damaged file out of the way, into a folder that is kept; return where it is."""
    aside = os.path.join(folder, INCOMING_NAME, DAMAGED_NAME)
    try:
        os.mkdir(aside, 0o700)
    except FileExistsError:
        pass
    path = os.path.join(aside, name)
    try:
        os.rename(os.path.join(folder, INCOMING_NAME, name), path)
    except FileNotFoundError:
        pass  # somebody else did
    return path


def damaged(folder: str) -> list[str]:
    """Return the names of the files that were set aside."""
    try:
        return sorted(os.listdir(os.path.join(folder, INCOMING_NAME, DAMAGED_NAME)))
    except (FileNotFoundError, NotADirectoryError):
        return []


def take_in(repository: Repository) -> list[str]:
    """Put all that waits into the logs of a repository; return what is to be told to people.

    A file goes only when its messages are durable in the store; one that is damaged is set aside.
    What cannot be written now goes on waiting.
    """
    folder = repository.folder
    notices: list[str] = []
    batch: list[Waiting] = []
    taken = messages = size = 0
    try:
        for one in waiting(folder):
            if isinstance(one, str):
                set_aside(folder, one)
                continue
            batch.append(one)
            messages += len(one.messages)
            size += sum(map(len, one.messages.values()))
            if messages >= _COMMIT_MESSAGES or size >= _COMMIT_BYTES:
                taken += _commit(repository, batch)
                batch, messages, size = [], 0, 0
        taken += _commit(repository, batch)
        remove(folder, ())
    except (LocalError, OSError) as error:
        notices.append(f"messages wait in {folder}/{INCOMING_NAME}: {error}")
    if taken:
        notices.append(f"{_messages(taken)} taken in from {folder}/{INCOMING_NAME}")
    return [*notices, *about_damage(folder)]


def _commit(repository: Repository, batch: list[Waiting]) -> int:
    from msglog.repository import Insertion  # noqa: PLC0415 - it imports this module

    if not batch:
        return 0
    logs: dict[str, set[Key]] = {}
    messages: dict[Key, bytes] = {}
    for one in batch:
        logs.setdefault(one.log, set()).update(one.messages)
        messages.update(one.messages)
    insertions = [Insertion(log_ref(log), sorted(keys)) for log, keys in sorted(logs.items())]
    time = max([one.time for one in batch])
    repository.commit(insertions, messages=messages, time=time, reason=INCOMING_NAME)
    remove(repository.folder, [one.name for one in batch])
    return len(messages)


def about_damage(folder: str) -> list[str]:
    """Return what to tell people of files that were set aside."""
    return [
        f"damaged, and not taken in: {folder}/{INCOMING_NAME}/{DAMAGED_NAME}/{name}"
        for name in damaged(folder)
    ]


def _messages(count: int) -> str:
    return "1 message is" if count == 1 else f"{count} messages are"
