"""`admin user`: adds, removes, renames and shows the users of a server account."""

from __future__ import annotations

from msglog.account.role import Role, parse_role
from msglog.annotation import TYPE_CHECKING
from msglog.message_json import rfc3339, to_json
from porcelain.admin.key import key_fields
from porcelain.admin.place import add_place_options, opened
from porcelain.admin.recording import change
from porcelain.display import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from msglog.account.record import User
    from plumbing.context import Context

ROLES = ", ".join(role.value for role in Role)


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `admin user`."""
    actions = parser.add_subparsers(dest="user_action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="add a user", description="Add a user without keys.")
    add.add_argument("name", metavar="NAME", help="a name of their own, such as ann")
    add.add_argument(
        "--role", default=Role.NONE.value, metavar="ROLE", help=f"{ROLES} (default: none)"
    )
    add.set_defaults(run=_add)
    remove = actions.add_parser(
        "remove", aliases=["rm"], help="remove a user with all keys and grants"
    )
    remove.add_argument("name", metavar="NAME", help="the user")
    remove.set_defaults(run=_remove)
    rename = actions.add_parser("rename", help="give a user another name")
    rename.add_argument("name", metavar="OLD", help="the user")
    rename.add_argument("new", metavar="NEW", help="their new name")
    rename.set_defaults(run=_rename)
    listing = actions.add_parser("list", help="list the users")
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", help="show a user's role, grants and keys")
    show.add_argument("name", metavar="NAME", help="the user")
    show.set_defaults(run=_show)
    set_role = actions.add_parser("set-role", help="give a user another role")
    set_role.add_argument("name", metavar="NAME", help="the user")
    set_role.add_argument("role", metavar="ROLE", help=ROLES)
    set_role.set_defaults(run=_set_role)
    for action in (add, remove, rename, listing, show, set_role):
        add_place_options(action)


def _add(arguments: Namespace, context: Context) -> int:
    role = parse_role(arguments.role)
    user = change(
        arguments,
        context,
        lambda account: account.add_user(arguments.name, role, time=context.now()),
    )
    _report(context, {"user": user.name, "role": role.value}, f"Added {user.name} ({role.value})")
    return 0


def _remove(arguments: Namespace, context: Context) -> int:
    keys = change(
        arguments, context, lambda account: account.remove_user(arguments.name), keys=True
    )
    fingerprints = [key.key.fingerprint for key in keys]
    said = f"Removed {arguments.name} with {_count(len(keys), 'key')}"
    _report(context, {"user": arguments.name, "keys": fingerprints}, said)
    return 0


def _rename(arguments: Namespace, context: Context) -> int:
    change(
        arguments,
        context,
        lambda account: account.rename_user(arguments.name, arguments.new),
        keys=True,
    )
    fields = {"user": arguments.new, "old": arguments.name}
    _report(context, fields, f"{arguments.name} is now {arguments.new}")
    return 0


def _set_role(arguments: Namespace, context: Context) -> int:
    role = parse_role(arguments.role)
    old = change(arguments, context, lambda account: account.set_role(arguments.name, role))
    fields = {"user": arguments.name, "role": role.value, "old": old.value}
    _report(context, fields, f"{arguments.name}: {role.value} (was {old.value})")
    return 0


def _list(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        users = account.users()
        counts = dict.fromkeys([user.name for user in users], 0)
        for key in account.keys_of():
            counts[key.user] = counts.get(key.user, 0) + 1
    for user in users:
        if context.json:
            context.write(to_json({**_fields(user), "keys": counts[user.name]}))
        else:
            number = _count(counts[user.name], "key")
            context.write(f"{user.name:<16} {user.role.value:<7} {number}\n")
    return 0


def _show(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        user = account.user(arguments.name)
        context.write(
            _user_as_json(account, user) if context.json else _user_as_text(account, user)
        )
    return 0


def _user_as_json(account: Account, user: User) -> str:
    grants = [
        {"repository": grant.repository, "pattern": grant.pattern, "role": grant.role.value}
        for grant in account.grants(user.name)
    ]
    keys = [key_fields(key) for key in account.keys_of(user.name)]
    return to_json({**_fields(user), "grants": grants, "keys": keys})


def _user_as_text(account: Account, user: User) -> str:
    lines = [f"user    {user.name}", f"role    {user.role.value}"]
    lines.append(f"since   {rfc3339(user.created, 0)}")
    lines += [
        f"grant   {grant.role.value} {grant.repository} {grant.pattern}"
        for grant in account.grants(user.name)
    ]
    lines += [
        f"key     {key.key.fingerprint} {key.key.type} {one_line(key.key.comment)}".rstrip()
        for key in account.keys_of(user.name)
    ]
    return "\n".join(lines) + "\n"


def _fields(user: User) -> dict[str, object]:
    return {"user": user.name, "role": user.role.value, "created": rfc3339(user.created, 0)}


def _report(context: Context, fields: dict[str, object], said: str) -> None:
    if context.json:
        context.write(to_json(fields))
    elif not context.quiet:
        context.write(f"{one_line(said)}\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
