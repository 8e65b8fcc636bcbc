"""`drop`: removes this repository with all its messages, after its name has been typed."""

from __future__ import annotations

import shutil
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, NegativeAnswer
from msglog.folder import sync
from msglog.repository import Repository
from porcelain.discovery import find_repository
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.places import FOLDER
from porcelain.question import ask

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context

_DROPPED = f"{FOLDER}-dropped-"
_SUFFIX_BYTES = 4
_ACCOUNT = "account.db"
_ACCOUNT_DEPTH = 6


class NotDroppedError(NegativeAnswer):
    """The name was not typed, so nothing was removed."""


class NotDroppableError(LocalError):
    """What was found is not a repository that may be removed whole."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `drop`."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: Namespace, context: Context) -> int:
    """Remove the repository, if it is one and its name is typed."""
    if finished := _finish_dropping(Path(context.directory)):
        _tell(context, finished, 0)
        return 0
    path = Path(find_repository(context))
    _check_droppable(path)
    if arguments.yes:
        _check_meant(path, context)
    repository = Repository.open(path)
    count = sum(log.count for log in repository.logs())
    repository.close()
    repository.check_writable()
    if not arguments.yes:
        _ask(context, path, count)
    # Out of the way first: whatever happens next, no half of it is found as a repository.
    doomed = path.with_name(f"{_DROPPED}{context.random(_SUFFIX_BYTES).hex()}")
    path.rename(doomed)
    sync(path.parent)
    shutil.rmtree(doomed)
    _tell(context, path, count)
    return 0


def _finish_dropping(folder: Path) -> Path | None:
    """Remove what is left of a repository here whose removal was cut off; return what it was."""
    if (folder / FOLDER).exists():
        return None
    left = [
        path
        for path in folder.glob(f"{_DROPPED}{'[0-9a-f]' * 2 * _SUFFIX_BYTES}")
        if path.is_dir() and not path.is_symlink()
    ]
    for path in left:
        shutil.rmtree(path)
    return folder / FOLDER if left else None


def _check_meant(path: Path, context: Context) -> None:
    """Where nobody is asked, only the repository of this folder, or one that is named, goes."""
    named = context.repository_directory is not None
    if not named and path.parent.resolve() != Path(context.directory).resolve():
        raise NotDroppableError(
            f"{path} is not removed",
            why="it is not of this folder",
            hint="Name its folder with -C, or leave --yes out.",
        )


def _tell(context: Context, path: Path, count: int) -> None:
    if context.json:
        context.write(to_json({"path": str(path), "dropped": True, "count": count}))
    elif not context.quiet:
        context.write(f"Removed {one_line(str(path))}\n")


def _check_droppable(path: Path) -> None:
    why = ""
    if path.name != FOLDER or path.is_symlink() or not path.is_dir():
        why = f"it is not a folder named {FOLDER}"
    resolved = path.resolve()
    around = (path, resolved, *resolved.parents[:_ACCOUNT_DEPTH])
    if any((folder / _ACCOUNT).exists() for folder in around):
        why = "it belongs to a server account"
    if why:
        raise NotDroppableError(f"{path} is not removed", why=why)


def _ask(context: Context, path: Path, count: int) -> None:
    name = path.resolve().parent.name or "/"
    question = f"This removes {path} with {plural(count, 'message')}. Type {name!r} to go on: "
    if ask(context, one_line(question)) != name:
        raise NotDroppedError(
            "nothing was removed", why="the name was not typed", hint="Or say --yes."
        )
