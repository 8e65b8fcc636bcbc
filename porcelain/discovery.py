"""Finding the repository that a command means; a server account is never found, only named."""

from __future__ import annotations

import os
import stat
from functools import partial

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError
from msglog.layout import STORE_NAME
from porcelain.places import FOLDER, user_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context

_WRITABLE_BY_ALL = 0o002
_MANY = 10_000


class NoRepositoryError(LocalError):
    """There is no repository where one was looked for."""


class UnusableRepositoryError(LocalError):
    """There is a folder for a repository, and no repository that we can use in it."""


class UnsafeRepositoryError(LocalError):
    """A repository lies where others may have put it or can change it."""


def find_repository(context: Context) -> str:
    """Return the folder of the repository that is meant; raises NoRepositoryError.

    First `-C` (there or above), then `$MSGLOG_DIR`, then `.msglog` here or above, then the user's
    own log. One that is found rather than named must be the user's own, unless the user is root.
    A `.msglog` that cannot be used ends the search with UnusableRepositoryError: what is meant for
    it must not go to another log, and from there to other people.
    """
    if context.repository_directory is not None:
        if not _is_repository(context.repository_directory):
            if _has_no_folder(context.repository_directory):
                return context.repository_directory
            inside = os.path.join(context.repository_directory, FOLDER)
            meant = f"Did you mean {inside}?" if _is_repository(inside) else ""
            raise NoRepositoryError(
                f"there is no repository in {context.repository_directory}",
                why="MSGLOG_DIR names it",
                hint=meant or "Make one with `msglog init`.",
            )
        return _check(context.repository_directory, named=True)
    folder = context.directory
    while True:
        if os.path.basename(folder) == FOLDER and _is_repository(folder):
            return _check(folder, named=False)
        inside = os.path.join(folder, FOLDER)
        if _is_repository(inside):
            return _check(inside, named=False)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    own = os.path.join(user_directory(context), FOLDER)
    if not context.directory_chosen and _is_repository(own):
        return _check(own, named=False)
    hint = "Make one with `msglog init`, or a log of your own with `msglog init --user`."
    if context.directory_chosen:
        hint = f"Make one with `msglog init {_quoted(context.directory)}`."
    raise NoRepositoryError(f"there is no repository in {context.directory} or above it", hint=hint)


def open_repository(context: Context) -> Repository:
    """Open the repository that is meant; raises NoRepositoryError, StoreError and their kin."""
    from msglog.repository import Repository  # noqa: PLC0415 - who talks to a remote dials first

    repository = Repository.open(find_repository(context))
    repository.follow = partial(_followed, context)
    if repository.notices:
        from porcelain.printing import tell_all  # noqa: PLC0415 - rarely is there anything to say

        tell_all(context, repository.notices)
    return repository


def _followed(context: Context, keys: Iterator[Key], total: int | None) -> Iterator[Key]:
    """Show how far the look-up by id has come, where it has much to learn."""
    few = total is not None and total < _MANY
    return keys if few else _shown(context, keys, total)


def _shown(context: Context, keys: Iterator[Key], total: int | None) -> Iterator[Key]:
    from porcelain.progress import Progress  # noqa: PLC0415 - once after a large clone

    with Progress(context, "Learning ids") as progress:
        for number, key in enumerate(keys):
            progress.update(number, total)
            yield key


def _is_repository(folder: str) -> bool:
    try:
        if stat.S_ISREG(os.stat(os.path.join(folder, STORE_NAME)).st_mode):
            return True
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UnusableRepositoryError(
            f"the repository in {folder} cannot be read", why=error.strerror or str(error)
        ) from error
    if os.path.basename(folder) == FOLDER and os.path.isdir(folder):
        raise UnusableRepositoryError(
            f"{folder} has no {STORE_NAME}",
            why="a repository was not made to its end here, or has lost its messages",
            hint="`msglog init` makes an empty one; `msglog restore FILE` brings a backup back.",
        )
    return False


def _has_no_folder(folder: str) -> bool:
    """Tell whether a folder stands for a repository of an account that is in a database."""
    from msglog.account.address import account_above  # noqa: PLC0415 - where nothing was found

    found = account_above(folder)
    return found is not None and bool(_check(found[0], named=True))


def _check(folder: str, *, named: bool) -> str:
    status = os.stat(folder)
    if status.st_mode & _WRITABLE_BY_ALL and stat.S_ISDIR(status.st_mode):
        raise UnsafeRepositoryError(
            f"{folder} is not safe to use",
            why="everybody may write to it",
            hint=f"Run `chmod o-w {_quoted(folder)}` if it is yours.",
        )
    user = os.geteuid()
    if not named and user not in (0, status.st_uid):
        raise UnsafeRepositoryError(
            f"{folder} is not safe to use",
            why="it belongs to another user",
            hint=f"If you mean it, name it: MSGLOG_DIR={_quoted(folder)}",
        )
    return folder


def _quoted(folder: str) -> str:
    from shlex import quote  # noqa: PLC0415 - only for errors

    return quote(folder)
