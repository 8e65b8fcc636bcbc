"""`admin repository`: the repositories of a server account: makes them and lists them."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.message_json import to_json
from msglog.store.store import REPOSITORY_ID_BYTES, StoreError
from porcelain.admin.place import add_place_options, opened
from porcelain.display import plural

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from plumbing.context import Context


class RepositoryExistsError(UsageError):
    """A repository was to be made under a name that is taken."""


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `admin repository`."""
    actions = parser.add_subparsers(dest="repository_action", metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="make a repository")
    adding.add_argument("name", metavar="NAME", help="such as team/ops, for server@host:team/ops")
    add_place_options(adding)
    adding.set_defaults(run=_add)
    listing = actions.add_parser("list", help="list the repositories with what they hold")
    add_place_options(listing)
    listing.set_defaults(run=_list)


def _add(arguments: Namespace, context: Context) -> int:
    name: str = arguments.name
    with opened(arguments, context) as account:
        if account.has_repository(name):
            raise RepositoryExistsError(f"there is a repository {name!r} already")
        identity = context.random(REPOSITORY_ID_BYTES)
        account.create_repository(name, identity=identity, time=context.now())
    if context.json:
        context.write(to_json({"repository": name, "id": identity.hex()}))
    elif not context.quiet:
        context.write(f"Made the repository {name}\n")
    return 0


def _list(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        for name in account.repository_names():
            logs, messages = _contents(account, name)
            if context.json:
                context.write(to_json({"repository": name, "logs": logs, "messages": messages}))
            else:
                context.write(f"{name}\t{plural(messages, 'message')} in {plural(logs, 'log')}\n")
    return 0


def _contents(account: Account, name: str) -> tuple[int, int]:
    """Return how many logs a repository has, and how many messages they have."""
    try:
        repository = account.open_repository(name)
    except StoreError as error:
        raise StoreError(
            f"the repository {name!r} cannot be opened",
            why=error.why or error.what,
            hint=error.hint,
        ) from error
    try:
        logs = repository.logs()
        return len(logs), sum(log.count for log in logs)
    finally:
        repository.close()
