"""Writing a backup in place, and taking one apart beside the place that it is for."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

from msglog import backup
from msglog import folder as folders
from msglog.annotation import TYPE_CHECKING, cast
from msglog.dataclass import dataclass
from msglog.errors import LocalError, UsageError
from msglog.key import SECOND
from msglog.layout import CONFIG_NAME, STORE_NAME
from msglog.pathname import tidy
from msglog.repository import Repository
from msglog.timestamp import readable_on, rfc3339
from msglog.version import __version__
from plumbing.soundness import check_sound
from porcelain.display import one_line
from porcelain.output_file import (
    SUFFIX_BYTES,
    check_free,
    full_path,
    put_in_place,
    remove_unfinished,
    working_folder,
)
from porcelain.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from plumbing.context import Context

STANDARD = "-"
_UNSOUND_HINT = "Nothing was backed up; `msglog verify` names all that is damaged."


class PlaceTakenError(LocalError):
    """There is something already where a backup would be restored."""


class NotForTerminalsError(UsageError):
    """A backup would be written to, or read from, a terminal."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A backup that was restored. aside: where what was there before is now, or ""."""

    manifest: backup.Manifest
    aside: str


def add_backup_arguments(parser: ArgumentParser) -> None:
    """Give a parser the arguments of commands that back up."""
    parser.add_argument("archive", metavar="FILE", help="the backup to write; - is standard output")
    parser.add_argument("--force", action="store_true", help="write over FILE if it is there")


def add_restore_arguments(parser: ArgumentParser, where: str) -> None:
    """Give a parser the arguments of commands that restore."""
    parser.add_argument("archive", metavar="FILE", help="the backup; - is standard input")
    parser.add_argument("folder", metavar="DIR", nargs="?", help=where)
    parser.add_argument(
        "--replace", action="store_true", help="put what is there already aside, whole"
    )
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="only check the backup, all of it"
    )


def write_backup(
    context: Context,
    archive: str,
    beside: str,
    gather: Callable[[str], tuple[backup.Manifest, list[str]]],
    *,
    force: bool,
) -> int:
    """Write a backup, whole or not at all, and return its bytes.

    archive: the file, or STANDARD. beside: a folder of ours, for what is written on the way to
    standard output. gather: puts checked copies of all files into a folder, and says which.
    """
    if archive == STANDARD:
        if context.stdout_terminal:
            raise NotForTerminalsError("a backup is not written to a terminal", hint="Name a FILE.")
        inside = os.path.join(beside, "backup")
        remove_unfinished(inside)
        with working_folder(inside, context) as folder:
            manifest, names = gather(folder)
            counted = _Counting(context.stdout)
            _write(counted.as_file(), manifest, folder, names, context)
            return counted.size
    path = full_path(context, archive)
    remove_unfinished(path)
    check_free(path, force=force)
    with working_folder(path, context) as folder:
        manifest, names = gather(folder)
        unfinished = os.path.join(folder, "backup.tar")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            _write(file, manifest, folder, names, context)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        put_in_place(unfinished, path, force=force)
        folders.sync(os.path.dirname(path))
    return size


def _write(
    file: BinaryIO, manifest: backup.Manifest, folder: str, names: list[str], context: Context
) -> None:
    with Progress(context, "Writing") as progress:
        backup.write(
            file, manifest, folder, names, time=context.now(), progress=progress.update_bytes
        )


class _Counting:
    """Standard output, and how much was written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return self._file.write(data)

    def as_file(self) -> BinaryIO:
        return cast("BinaryIO", self)  # a stream of tar is only written to


def gather_repository(
    repository: Repository, folder: str, context: Context, *, prefix: str = "", label: str = ""
) -> tuple[int, list[str]]:
    """Put checked copies of a repository's files into a folder, under prefix.

    label: what to call it while that is done, which is shown.
    Return how many messages its logs have, and the names of the files. Raises
    UnsoundRepositoryError if it is damaged, and then leaves an older backup alone.
    """
    place = os.path.join(folder, prefix)
    os.makedirs(place, mode=0o700, exist_ok=True)
    with Progress(context, f"{label}Copying") as progress:
        copy = os.path.join(place, STORE_NAME)
        repository.store.snapshot(copy, progress=progress.update_bytes)
    count = check_repository(place, context, hint=_UNSOUND_HINT, label=label)
    names = [f"{prefix}{STORE_NAME}"]
    with suppress(FileNotFoundError):
        shutil.copyfile(
            os.path.join(repository.folder, CONFIG_NAME), os.path.join(place, CONFIG_NAME)
        )
        names.append(f"{prefix}{CONFIG_NAME}")
    return count, names


def check_repository(
    folder: str,
    context: Context,
    identity: str | None = None,
    *,
    hint: str = "",
    label: str = "",
) -> int:
    """Check all that the repository in a folder has; return how many messages its logs have.

    identity: what it must be, in hex. hint: what to do where it is damaged. label: what to call it.
    """
    copy = Repository.open(folder)
    try:
        if identity is not None and copy.store.identity.hex() != identity:
            raise backup.DamagedBackupError(
                "the backup is damaged", why="it is of another repository"
            )
        with Progress(context, f"{label}Checking") as progress:
            return check_sound(copy, hint=hint, counted=progress.update)
    finally:
        copy.close()


def make_manifest(kind: str, identity: str, context: Context) -> backup.Manifest:
    """Return what a backup that is made now says of itself."""
    return backup.Manifest(kind, identity, rfc3339(context.now(), 0), __version__)


def as_of(manifest: backup.Manifest, context: Context) -> str:
    """Return when an archive was made, on the user's clocks; as it says where that is no time."""
    try:
        moment = datetime.fromisoformat(manifest.time)
        return readable_on(context.local_offset)(int(moment.timestamp()) * SECOND, 0)
    except (ValueError, OverflowError):
        return one_line(manifest.time)


def restore(
    context: Context,
    archive: str,
    place: str,
    kind: str,
    check: Callable[[str, backup.Manifest, list[str]], None],
    *,
    replace: bool,
    dry_run: bool,
) -> Replaced:
    """Take a backup apart beside its place, check it, and only then give it its name.

    place: the folder that is to hold it. check: raises where what is in a folder is not sound.
    What was there before is put aside, whole, if replace says so. Raises PlaceTakenError.
    """
    with ExitStack() as cleanup:
        file = cleanup.enter_context(_opened(context, archive))
        if not dry_run:
            remove_unfinished(place)
            _check_place(place, replace=replace)
        folder = cleanup.enter_context(_restoring(context, place, dry_run=dry_run))
        label = "the backup" if archive == STANDARD else archive
        manifest, names = _unpack(file, folder, label, context)
        if manifest.kind != kind:
            what, command = _KINDS[manifest.kind]
            raise backup.ForeignFileError(
                f"{label} is a backup of a {what}", hint=f"Use `{command}`."
            )
        check(folder, manifest, names)
        aside = ""
        if not dry_run:
            aside = _exchange(folder, place, context, replace=replace)
    return Replaced(manifest, aside)


def _unpack(
    file: BinaryIO, folder: str, label: str, context: Context
) -> tuple[backup.Manifest, list[str]]:
    whole = None
    with suppress(OSError, ValueError):  # what has no descriptor has no size that could be shown
        found = os.fstat(file.fileno())
        whole = found.st_size if stat.S_ISREG(found.st_mode) else None
    with Progress(context, "Reading") as progress:
        return backup.unpack(
            file, folder, label=label, tell=lambda done: progress.update_bytes(done, whole)
        )


_KINDS = {
    backup.REPOSITORY: ("repository", "msglog restore"),
    backup.ACCOUNT: ("server account", "msglog admin restore"),
}


def _check_place(place: str, *, replace: bool) -> None:
    if os.path.islink(place) or (os.path.lexists(place) and not os.path.isdir(place)):
        raise PlaceTakenError(f"{place} is not a folder")
    if os.path.isdir(place) and os.listdir(place) and not replace:
        raise PlaceTakenError(
            f"there is something in {place} already",
            hint="Name another DIR, or say --replace to put it aside.",
        )


@contextmanager
def _opened(context: Context, archive: str) -> Iterator[BinaryIO]:
    if archive == STANDARD:
        if context.stdin_terminal:
            raise NotForTerminalsError("a backup is not read from a terminal", hint="Name a FILE.")
        yield context.stdin
        return
    with open(tidy(os.path.join(context.directory, archive)), "rb") as file:
        yield file


@contextmanager
def _restoring(context: Context, place: str, *, dry_run: bool) -> Iterator[str]:
    """Give a folder to take a backup apart in: beside its place, or for a dry run anywhere."""
    if dry_run:
        import tempfile  # noqa: PLC0415 - only to check

        with tempfile.TemporaryDirectory(prefix="msglog-") as folder:
            yield folder
        return
    around = os.path.dirname(place)
    made = not os.path.isdir(around)
    folders.make(around)
    try:
        with working_folder(place, context) as folder:
            yield folder
    except BaseException:
        if made:
            with suppress(OSError):
                os.rmdir(around)
        raise


def _exchange(folder: str, place: str, context: Context, *, replace: bool) -> str:
    """Give a folder the name of its place; return where what was there is now, or ""."""
    for inner, _, _ in os.walk(folder):
        folders.sync(inner)
    aside = ""
    if os.path.isdir(place) and os.listdir(place):
        _check_place(place, replace=replace)
        # Whoever has it open still writes there, and nothing of that is lost.
        aside = f"{place}-replaced-{context.random(SUFFIX_BYTES).hex()}"
        os.rename(place, aside)
    try:
        os.rename(folder, place)
    except BaseException:
        if aside:
            os.rename(aside, place)
        raise
    folders.sync(os.path.dirname(place))
    return aside
