"""`remote`: names the places that logs are shared with, as git's does."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.config import REMOTE_KEYS
from msglog.config_change import change
from msglog.errors import UsageError
from msglog.refname import REMOTE_PREFIX, check_remote_name, tracking_ref
from msglog.store.store import Commit, RefUpdate
from msglog.view import scope_of
from plumbing.transport.url import parse_url
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.places import repository_file
from porcelain.scope import configure_patterns, missing_before, new_settings, shown
from porcelain.settings import find_remote, load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from msglog.config import Remote
    from msglog.config_change import Setting
    from msglog.repository import Repository
    from msglog.store.store import Ref
    from plumbing.context import Context

_URL_HELP = "user@host[:path], ssh://user@host:port/path, a path, file://"


class RemoteExistsError(UsageError):
    """A remote was to be made under a name that is taken."""


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `remote`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    add = actions.add_parser("add", help="add a remote", description="Add a remote.")
    add.add_argument("name", metavar="NAME", help="what it is called here, such as origin")
    add.add_argument("url", metavar="URL", help=_URL_HELP)
    configure_patterns(add)
    remove = actions.add_parser("remove", aliases=["rm"], help="forget a remote")
    remove.add_argument("name", metavar="NAME", help="the remote")
    rename = actions.add_parser("rename", help="rename a remote")
    rename.add_argument("name", metavar="OLD", help="the remote")
    rename.add_argument("new", metavar="NEW", help="its new name")
    set_url = actions.add_parser("set-url", help="give a remote another URL")
    set_url.add_argument("name", metavar="NAME", help="the remote")
    set_url.add_argument("url", metavar="URL", help=_URL_HELP)
    get_url = actions.add_parser("get-url", help="print the URL of a remote")
    get_url.add_argument("name", metavar="NAME", help="the remote")
    show = actions.add_parser("show", help="show what is known of a remote, offline")
    show.add_argument("name", metavar="NAME", help="the remote")


def run(arguments: Namespace, context: Context) -> int:
    """List the remotes, or change them."""
    repository = open_repository(context)
    _ACTIONS[arguments.action](arguments, context, repository)
    repository.close()
    return 0


def _list(_arguments: Namespace, context: Context, repository: Repository) -> None:
    for remote in load_settings(context, repository.folder).remotes().values():
        if context.json:
            context.write(to_json(_fields(remote)))
        elif context.verbose:
            context.write(f"{one_line(remote.name)}\t{one_line(remote.url)}\n")
        else:
            context.write(f"{one_line(remote.name)}\n")


def _add(arguments: Namespace, context: Context, repository: Repository) -> None:
    settings = new_settings(arguments.name, arguments, context)
    url = _from_here(arguments.url, context, repository.folder)
    add_remote(arguments.name, url, context, repository.folder, settings)


def add_remote(
    name: str,
    url: str,
    context: Context,
    folder: str,
    settings: Mapping[str, Setting | None] | None = None,
) -> None:
    """Name a remote of the repository in a folder; settings: of it, beside its URL.

    Raises RemoteExistsError, InvalidNameError or UrlError.
    """
    check_remote_name(name)
    _check_url(url)
    _check_free(name, context, folder)
    change(repository_file(folder), {f"remote.{name}.url": url, **(settings or {})})


def _remove(arguments: Namespace, context: Context, repository: Repository) -> None:
    remove_remote(arguments.name, context, repository)


def remove_remote(name: str, context: Context, repository: Repository) -> None:
    """Forget a remote and what was known of it; raises UnknownRemoteError."""
    remote = find_remote(load_settings(context, repository.folder), name, make=False)
    # First, so that the same again completes what was cut off between the two.
    _move_tracking_refs(repository, remote.name, None, context.now())
    change(repository_file(repository.folder), _settings(remote.name, None))


def _rename(arguments: Namespace, context: Context, repository: Repository) -> None:
    remote = find_remote(load_settings(context, repository.folder), arguments.name, make=False)
    new = check_remote_name(arguments.new)
    _check_free(new, context, repository.folder)
    _move_tracking_refs(repository, remote.name, new, context.now())  # first, as in _remove
    change(
        repository_file(repository.folder),
        {**_settings(remote.name, None), **_settings(new, remote)},
    )


def _set_url(arguments: Namespace, context: Context, repository: Repository) -> None:
    remote = find_remote(load_settings(context, repository.folder), arguments.name)
    url = _check_url(_from_here(arguments.url, context, repository.folder))
    change(repository_file(repository.folder), {f"remote.{remote.name}.url": url})


def _get_url(arguments: Namespace, context: Context, repository: Repository) -> None:
    remote = find_remote(load_settings(context, repository.folder), arguments.name)
    if context.json:
        context.write(to_json(_fields(remote)))
    else:
        context.write(f"{one_line(remote.url)}\n")


def _show(arguments: Namespace, context: Context, repository: Repository) -> None:
    remote = find_remote(load_settings(context, repository.folder), arguments.name)
    tracked = _tracked(repository, remote.name)
    if context.json:
        logs = {log: {"count": ref.count, "root": ref.root.hex()} for log, ref in tracked.items()}
        context.write(to_json({**_fields(remote), "logs": logs}))
        return
    context.write(f"{remote.name}\n  URL         {one_line(remote.url)}\n")
    context.write(f"  Repository  {one_line(remote.repository) or 'not met yet'}\n")
    if remote.since:
        context.write(f"  Since       {shown(scope_of(remote).view, context)}\n")
    if remote.logs:
        context.write(f"  Logs        {', '.join(remote.logs)}\n")
    for log, ref in tracked.items():
        before = ""
        for _, horizon in missing_before(repository.folder, log, [remote]):
            number = "perhaps others" if horizon.older is None else f"{horizon.older} more"
            before = f", and {number} from before {shown(horizon.view, context)}"
        context.write(f"  {one_line(log)}: {plural(ref.count, 'message')} when last seen{before}\n")


_ACTIONS = {
    None: _list,
    "add": _add,
    "remove": _remove,
    "rm": _remove,
    "rename": _rename,
    "set-url": _set_url,
    "get-url": _get_url,
    "show": _show,
}


def _fields(remote: Remote) -> dict[str, object]:
    return {
        "remote": remote.name,
        "url": remote.url,
        "repository": remote.repository or None,
        "since": remote.since or None,
        "patterns": list(remote.logs) or None,
    }


def _settings(name: str, remote: Remote | None) -> dict[str, Setting | None]:
    """Return the settings of a remote under a name; None: that they are to be removed."""
    values: dict[str, Setting | None] = dict.fromkeys(REMOTE_KEYS)
    if remote is not None:
        values = {
            "url": remote.url,
            "repository": remote.repository or None,
            "since": remote.since or None,
            "logs": list(remote.logs) or None,
        }
    return {f"remote.{name}.{key}": value for key, value in values.items()}


def _check_free(name: str, context: Context, folder: str) -> None:
    if name in load_settings(context, folder).remotes():
        raise RemoteExistsError(
            f"the remote {name!r} exists already",
            hint=f"Change it with `msglog remote set-url {name} URL`.",
        )


def _from_here(url: str, context: Context, folder: str) -> str:
    """Return a URL so that what is typed here means the same to the repository in a folder.

    A relative path starts from where that lies, and is kept as typed by who is there.
    """
    parsed = parse_url(url)
    if parsed.kind != "local" or parsed.path.startswith(("/", "~")):
        return url
    if os.path.samefile(context.directory, os.path.dirname(folder)):
        return url
    return os.path.realpath(os.path.join(context.directory, parsed.path))


def _check_url(url: str) -> str:
    """Return url as it is kept, if a transport can take it; raises UrlError."""
    parse_url(url)
    return url


def _tracked(repository: Repository, remote: str) -> dict[str, Ref]:
    prefix = f"{REMOTE_PREFIX}{remote}/"
    return {name[len(prefix) :]: ref for name, ref in repository.store.refs(prefix).items()}


def _move_tracking_refs(repository: Repository, old: str, new: str | None, time: int) -> None:
    """Give the tracking refs of a remote another name, or delete them.

    They say what was seen and decide nothing: one that a transfer moves meanwhile may stay behind.
    """
    updates: list[RefUpdate] = []
    for log, ref in _tracked(repository, old).items():
        updates.append(RefUpdate(tracking_ref(old, log), ref.root, None))
        if new is not None:
            there = repository.store.ref(tracking_ref(new, log))
            root = None if there is None else there.root
            updates.append(RefUpdate(tracking_ref(new, log), root, ref))
    if updates:
        what = "removed" if new is None else f"renamed to {new}"
        repository.store.commit(Commit(time, f"remote {old} {what}", refs=updates))
