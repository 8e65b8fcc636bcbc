"""The repository that a plumbing command works on: the one that it was given, never a found one."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError
from msglog.repository import Repository

if TYPE_CHECKING:
    from plumbing.context import Context


class NoRepositoryError(LocalError):
    """A command needs a repository, and there is none."""


def open_repository(context: Context) -> Repository:
    """Open the repository in `context.repository_directory`; raises NoRepositoryError if unset.

    The dispatcher has looked for it and put its absolute path there.
    """
    if context.repository_directory is None:
        raise NoRepositoryError(
            f"there is no repository in {context.directory} or above it",
            hint="Make one with `msglog init`.",
        )
    return Repository.open(context.repository_directory)
