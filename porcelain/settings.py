"""The settings of a command: the configuration files of the user and of the repository."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.config import ConfigKeyError, load
from msglog.refname import check_remote_name
from porcelain.places import repository_file, user_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.config import Config, Remote
    from plumbing.context import Context


class UnknownRemoteError(ConfigKeyError):
    """A remote was named that is not set up; known: those that are."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        from difflib import get_close_matches  # noqa: PLC0415 - only where something was mistyped

        near = get_close_matches(name, list(known), n=1)
        add = f"Did you mean {near[0]}? Else add" if near else "Add"
        super().__init__(
            f"there is no remote {name!r}", hint=f"{add} it with `msglog remote add {name} URL`."
        )


def load_settings(context: Context, repository: str | None = None) -> Config:
    """Read the settings that count for a repository, or outside of any."""
    files = [(user_file(context), True)]
    if repository is not None:
        files.insert(0, (repository_file(repository), False))
    return load(files)


def find_remote(settings: Config, name: str) -> Remote:
    """Return a remote by its name; raises UnknownRemoteError or InvalidNameError."""
    remotes = settings.remotes()
    remote = remotes.get(check_remote_name(name))
    if remote is None:
        raise UnknownRemoteError(name, remotes)
    return remote
