"""The settings of a command: the configuration files of the user and of the repository."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.config import UnknownRemoteError, load
from msglog.refname import check_remote_name
from porcelain.places import repository_file, user_file

if TYPE_CHECKING:
    from msglog.config import Config, Remote
    from plumbing.context import Context


def load_settings(context: Context, repository: str | None = None) -> Config:
    """Read the settings that count for a repository, or outside of any."""
    files = [(user_file(context), True)]
    if repository is not None:
        files.insert(0, (repository_file(repository), False))
    return load(files)


def find_remote(settings: Config, name: str, *, make: bool = True) -> Remote:
    """Return a remote by its name; raises UnknownRemoteError or InvalidNameError.

    make: whether it would help to add it.
    """
    remotes = settings.remotes()
    remote = remotes.get(check_remote_name(name))
    if remote is None:
        raise UnknownRemoteError(name, remotes, make=make)
    return remote
