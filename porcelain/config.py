"""`config`: reads and changes settings, of this repository or with --global of the user."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.config import FREE_TABLE, is_url, known_key, load, read
from msglog.config_change import change, check_setting, suggestion
from msglog.errors import NegativeAnswer
from plumbing.transport.url import parse_url
from porcelain.discovery import NoRepositoryError, find_repository
from porcelain.display import one_line
from porcelain.message_json import to_json
from porcelain.places import repository_file, user_file
from porcelain.printing import note
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.config import Config
    from plumbing.context import Context


class UnsetError(NegativeAnswer):
    """A key that was asked for is not set."""


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `config`."""
    _add_global(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    get = actions.add_parser("get", help="print a setting")
    get.add_argument("key", metavar="KEY", help="such as user.author")
    put = actions.add_parser("set", help="change a setting")
    put.add_argument("key", metavar="KEY", help="such as user.author")
    put.add_argument("value", metavar="VALUE", help="what it is to be")
    unset = actions.add_parser("unset", help="forget a setting")
    unset.add_argument("key", metavar="KEY", help="such as user.author")
    everything = actions.add_parser("list", help="print all settings")
    for action in (get, put, unset, everything):
        _add_global(action)


def _add_global(parser: ArgumentParser) -> None:
    from argparse import SUPPRESS  # noqa: PLC0415 - so that the inner parser resets nothing

    parser.add_argument(
        "--global",
        dest="of_user",
        action="store_true",
        default=SUPPRESS,
        help="the user's own settings, for all repositories",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Print or change settings."""
    of_user = getattr(arguments, "of_user", False)
    if arguments.action in ("get", "list"):
        settings = _settings(context, of_user=of_user)
        if arguments.action == "list":
            for key, value, path in settings.entries():
                _print(context, key, value, path)
            _warn_of_unknown(context, settings)
            return 0
        entries = {key: (value, path) for key, value, path in settings.entries()}
        if arguments.key in entries:
            _print(context, arguments.key, *entries[arguments.key], bare=True)
            return 0
        raise UnsetError(
            f"{arguments.key[:80]} is not set", hint=suggestion(arguments.key, entries)
        )
    # Behind a symbolic link, which stays one, whoever keeps settings elsewhere has the user's own.
    own = os.path.realpath(user_file(context)) if of_user else ""
    file = own or repository_file(find_repository(context))
    if arguments.action == "set":
        value = check_setting(arguments.key, arguments.value, trusted=of_user)
        if is_url(arguments.key):
            parse_url(arguments.value)
        change(file, {arguments.key: value})
        return 0
    present = read(file)
    if arguments.key not in present:
        raise UnsetError(
            f"{arguments.key[:80]} is not set in {file}", hint=suggestion(arguments.key, present)
        )
    change(file, {arguments.key: None})
    return 0


def _settings(context: Context, *, of_user: bool) -> Config:
    if of_user:
        return load([(user_file(context), True)])
    try:
        return load_settings(context, find_repository(context))
    except NoRepositoryError:
        return load_settings(context)


def _warn_of_unknown(context: Context, settings: Config) -> None:
    """Name what is set and nobody heeds: mistyped, or of a newer msglog, for which it is kept."""
    context.stdout.flush()
    for key, _, path in settings.entries():
        if known_key(key) is None and not key.startswith(f"{FREE_TABLE}."):
            shown = f"{one_line(key)} in {one_line(path)}"
            note(context, f"msglog: warning: this version does not know {shown}; it is kept")


def _print(context: Context, key: str, value: object, path: str, *, bare: bool = False) -> None:
    plain = value if isinstance(value, str | int | float | bool) else str(value)
    is_list = isinstance(value, list) and all(isinstance(text, str) for text in value)
    if context.json:
        said = value if is_list else plain
        context.write(to_json({"key": key, "value": said, "file": str(path)}))
        return
    if isinstance(value, list) and is_list:
        plain = " ".join(value)
    text = ("true" if plain else "false") if isinstance(plain, bool) else one_line(str(plain))
    context.write(f"{text}\n" if bare else f"{one_line(key)}={text}\n")
