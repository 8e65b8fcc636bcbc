"""`admin key`: adds, removes, checks and writes the keys of a server account."""

from __future__ import annotations

from pathlib import Path

from msglog.account.publickey import FILE_BYTES, PublicKeyError, parse_public_keys
from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, UsageError
from msglog.message_json import rfc3339, to_json
from porcelain.admin import key_check
from porcelain.admin.place import (
    add_place_options,
    check_writable,
    key_file,
    opened,
    synchronise,
)
from porcelain.admin.recording import change
from porcelain.display import one_line, plural
from porcelain.printing import note

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from msglog.account.publickey import PublicKey
    from msglog.account.record import UserKey
    from plumbing.context import Context


class KeyChoiceError(UsageError):
    """It cannot be told which of a user's keys is meant."""


class KeySourceError(LocalError):
    """A file of public keys cannot be read."""


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `admin key`."""
    actions = parser.add_subparsers(dest="key_action", metavar="ACTION", required=True)
    source = "a .pub file, one key a line; - or nothing: standard input, as from `ssh-add -L`"
    add = actions.add_parser("add", help="give a user keys")
    add.add_argument("user", metavar="USER", help="whose keys they are")
    add.add_argument("file", metavar="FILE", nargs="?", default="-", help=source)
    add.set_defaults(run=_add)
    remove = actions.add_parser("remove", aliases=["rm"], help="take a key from a user")
    remove.add_argument("user", metavar="USER", help="whose key it is")
    remove.add_argument("fingerprint", metavar="FINGERPRINT", help="SHA256:..., as in `list`")
    remove.set_defaults(run=_remove)
    rotate = actions.add_parser("rotate", help="put new keys in place of an old one")
    rotate.add_argument("user", metavar="USER", help="whose keys they are")
    rotate.add_argument("file", metavar="FILE", nargs="?", default="-", help=source)
    rotate.add_argument(
        "--replacing", metavar="FINGERPRINT", help="the old key; needed if there are several"
    )
    rotate.set_defaults(run=_rotate)
    listing = actions.add_parser("list", help="list the keys of a user, or of all")
    listing.add_argument("user", metavar="USER", nargs="?", help="only theirs")
    listing.set_defaults(run=_list)
    check = actions.add_parser(
        "check", help="read authorized_keys as sshd does, name what is wrong"
    )
    key_check.configure(check)
    sync = actions.add_parser("sync", help="write msglog's lines in authorized_keys anew")
    sync.set_defaults(run=_sync)
    for action in (add, remove, rotate, listing, check, sync):
        add_place_options(action)


def key_fields(key: UserKey) -> dict[str, object]:
    """Return what `--json` says of a key."""
    return {
        "user": key.user,
        "fingerprint": key.key.fingerprint,
        "type": key.key.type,
        "comment": key.key.comment,
        "added": rfc3339(key.added, 0),
    }


def _add(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        account.user(arguments.user)
        keys = read_keys(arguments.file, context)
        check_writable(account, arguments, context)
    new = change(
        arguments,
        context,
        lambda account: account.add_keys(arguments.user, keys, time=context.now()),
        keys=True,
    )
    for key, is_new in zip(keys, new, strict=True):
        said = "Added" if is_new else f"{arguments.user} has already"
        _report(context, arguments.user, key, said, {"new": is_new})
    return 0


def _remove(arguments: Namespace, context: Context) -> int:
    fingerprint = _full(arguments.fingerprint)
    change(
        arguments,
        context,
        lambda account: account.remove_key(arguments.user, fingerprint),
        keys=True,
    )
    if context.json:
        context.write(to_json({"user": arguments.user, "fingerprint": fingerprint}))
    elif not context.quiet:
        context.write(f"Removed {fingerprint} of {arguments.user}\n")
    return 0


def _rotate(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        old = _replaced(account, arguments)
        keys = read_keys(arguments.file, context)
        check_writable(account, arguments, context)
    change(
        arguments,
        context,
        lambda account: account.replace_key(arguments.user, old, keys, time=context.now()),
        keys=True,
    )
    for key in keys:
        _report(context, arguments.user, key, f"In place of {old}:", {"old": old})
    return 0


def _replaced(account: Account, arguments: Namespace) -> str:
    if arguments.replacing is not None:
        return _full(arguments.replacing)
    account.user(arguments.user)
    keys = account.keys_of(arguments.user)
    if len(keys) != 1:
        hint = "Say which with --replacing FINGERPRINT."
        if not keys:
            hint = f"Give them one with `msglog admin key add {arguments.user} FILE.pub`."
        count = plural(len(keys), "key") if keys else "no key"
        raise KeyChoiceError(f"{arguments.user} has {count}", hint=hint)
    return keys[0].key.fingerprint


def _list(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        if arguments.user is not None:
            account.user(arguments.user)
        keys = account.keys_of(arguments.user)
    for key in keys:
        if context.json:
            context.write(to_json(key_fields(key)))
        else:
            comment = one_line(key.key.comment)
            line = f"{key.user:<16} {key.key.fingerprint} {key.key.type} {comment}"
            context.write(f"{line.rstrip()}\n")
    return 0


def _sync(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        changed = synchronise(account, arguments, context)
        count = len(account.keys_of())
        path = str(key_file(account, arguments, context))
    if context.json:
        context.write(to_json({"file": path, "keys": count, "changed": changed}))
    elif not context.quiet:
        said = "written anew" if changed else "as it should be"
        context.write(f"{one_line(path)}: {said}, {plural(count, 'key')}\n")
    return 0


def read_keys(name: str, context: Context) -> list[PublicKey]:
    """Return the keys in a file, or on standard input; raises KeySourceError, PublicKeyError."""
    if name == "-":
        if context.stdin_terminal:
            note(context, "Reading public keys, one a line, up to an end of file (Ctrl-D).")
        data = context.stdin.read(FILE_BYTES + 1)
    else:
        path = Path(context.directory, name)
        try:
            if not path.is_file():
                why = "it is not a file" if path.exists() else "there is no such file"
                raise KeySourceError(f"cannot read {name}", why=why)
            with path.open("rb") as file:
                data = file.read(FILE_BYTES + 1)
        except OSError as error:
            raise KeySourceError(f"cannot read {name}", why=error.strerror or "") from error
        except ValueError:
            raise KeySourceError("cannot read that file", why="its name has a NUL") from None
    try:
        return parse_public_keys(data)
    except PublicKeyError as error:
        where = "standard input" if name == "-" else name
        raise PublicKeyError(f"{where}: {error.what}", why=error.why, hint=error.hint) from None


def _full(fingerprint: str) -> str:
    return fingerprint if fingerprint.startswith("SHA256:") else f"SHA256:{fingerprint}"


def _report(
    context: Context, user: str, key: PublicKey, said: str, more: dict[str, object]
) -> None:
    if context.json:
        fields = {"user": user, "fingerprint": key.fingerprint, "type": key.type}
        context.write(to_json({**fields, "comment": key.comment, **more}))
    elif not context.quiet:
        line = f"{said} {key.fingerprint} {key.type} {key.comment}".rstrip()
        context.write(f"{one_line(line)}\n")
