"""`admin set`: shows and changes the settings of a server account."""

from __future__ import annotations

from msglog.account.setting import SETTINGS, change_setting, known_setting, setting
from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from porcelain.admin.place import opened
from porcelain.admin.recording import change

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `admin set`."""
    parser.add_argument("setting", metavar="NAME", nargs="?", help=f"{', '.join(SETTINGS)} (all)")
    parser.add_argument("value", metavar="VALUE", nargs="?", help="without one, it is shown")
    parser.set_defaults(run=_run)


def _run(arguments: Namespace, context: Context) -> int:
    if arguments.value is not None:
        change(
            arguments,
            context,
            lambda account: change_setting(account.database, arguments.setting, arguments.value),
        )
    elif arguments.setting is not None:
        known_setting(arguments.setting)
    with opened(arguments, context) as account:
        values = {name: setting(account.database, which) for name, which in SETTINGS.items()}
    if context.json:
        context.write(to_json(values))
    elif not context.quiet:
        for name, value in values.items():
            if arguments.setting in (None, name):
                context.write(f"{name} {value}\n")
    return 0
