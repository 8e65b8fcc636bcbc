"""`clone`: makes a repository from a remote."""

from __future__ import annotations

import re
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.config import load
from msglog.config_change import change
from msglog.errors import LocalError, RemoteError, UsageError
from msglog.layout import STORE_NAME
from msglog.refname import DEFAULT_REMOTE
from msglog.view import scope_of
from plumbing.opening import Target, local_path
from plumbing.transport.channel import ChannelError
from plumbing.transport.url import RemoteUrl, parse_url
from porcelain.display import one_line
from porcelain.exchange import Exchange
from porcelain.init import create
from porcelain.places import FOLDER, repository_file, user_file
from porcelain.printing import note
from porcelain.scope import configure_patterns, new_settings
from porcelain.taking import take

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from msglog.config import Config
    from plumbing.context import Context

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class CloneFolderError(LocalError):
    """The folder that a clone would be made in is taken."""


class FolderAsHostError(RemoteError):
    """A host cannot be reached whose name is that of a folder here, which was probably meant."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `clone`."""
    parser.add_argument("url", metavar="URL", help="such as server@host or server@host:team/ops")
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where to make it")
    configure_patterns(parser)


def run(
    arguments: Namespace,
    context: Context,
    begin: Callable[[Context, str, Config, Target], Exchange] = Exchange,
) -> int:
    """Make the folder, set up `origin`, and pull every log, or those that were asked for.

    begin: makes what deals with the remote, where that is not to print.
    """
    url = parse_url(arguments.url)
    if url.kind == "local":
        url = RemoteUrl(
            "local", path=str(local_path(url, Path(context.directory), context).resolve())
        )
    settings = new_settings(DEFAULT_REMOTE, arguments, context)
    named = arguments.folder or _folder_name(url)
    folder = Path(context.directory, named)
    path = folder / FOLDER
    if (path / STORE_NAME).exists():
        raise CloneFolderError(
            f"there is a repository in {named} already",
            hint="Name another DIR, or say `msglog pull` there.",
        )
    if url.kind == "local" and url.path in (str(folder.resolve()), str(path.resolve())):
        # Made first, it would be found there, and would be its own remote.
        raise CloneFolderError(
            f"there is no repository in {named}", why="and it would be cloned into itself"
        )
    is_folder = url.kind == "ssh" and Path(context.directory, arguments.url).is_dir()
    new = not folder.exists()
    done = False
    try:
        # The store comes last: where there is one, a pull knows where to go on.
        change(repository_file(str(path)), {f"remote.{DEFAULT_REMOTE}.url": str(url), **settings})
        create(path, context).close()
        config = load([(repository_file(str(path)), False), (user_file(context), True)])
        one = begin(context, str(path), config, Target(DEFAULT_REMOTE, url, folder))
        if settings:
            one.scope = scope_of(config.remotes()[DEFAULT_REMOTE])
        try:
            take(one, [], pull=True, must_share=True)
            done = True
        except ChannelError as error:
            if is_folder:
                raise FolderAsHostError(
                    error.what,
                    why=error.why,
                    hint=f"For the folder say `msglog clone ./{arguments.url}`.",
                ) from error
            raise
        finally:
            one.end()
        return one.status()
    finally:
        kept = done or _has_messages(path)
        if not kept:
            _remove(path, folder, new=new)
        elif not done:
            note(
                context,
                f"msglog: what came is kept in {one_line(named)}; "
                "`msglog pull` there goes on from it",
            )


def _folder_name(url: RemoteUrl) -> str:
    """Return the last part of the path, else the host, as the name of a folder."""
    last = url.path.rstrip("/").rpartition("/")[2] if url.path else url.host
    if last == FOLDER:
        last = url.path.rstrip("/").split("/")[-2]
    name = _SAFE.sub("-", last).strip(".-")
    if not name:
        raise UsageError("there is no name for the folder in the URL", hint="Give a DIR.")
    return name


def _has_messages(path: Path) -> bool:
    from msglog.repository import Repository  # noqa: PLC0415 - only after a failure

    if not (path / STORE_NAME).exists():
        return False
    repository = Repository.open(path)
    try:
        return any(ref.count for ref in repository.store.refs().values())
    finally:
        repository.close()


def _remove(path: Path, folder: Path, *, new: bool) -> None:
    """Take away a clone that brought nothing: what we made, and nothing else."""
    if not path.exists():
        return
    import shutil  # noqa: PLC0415 - only after a failure

    shutil.rmtree(path)
    if new:
        folder.rmdir()
