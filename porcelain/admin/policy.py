"""`admin policy`: says what logs ask of the messages that are pushed to them."""

from __future__ import annotations

from msglog.account.account import DEFAULT_REPOSITORY
from msglog.account.policy import (
    POLICIES,
    PolicyError,
    policies,
    set_policies,
    unset_policies,
)
from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.message_json import to_json
from porcelain.admin.place import add_place_options, opened
from porcelain.admin.recording import change

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.policy import (
        SetPolicy,
    )
    from plumbing.context import Context

_PLACE = "[REPOSITORY] LOG-PATTERN"
_EPILOG = "; ".join(f"{name}={meaning}" for name, meaning in POLICIES.items())


class PolicyPlaceError(UsageError):
    """It cannot be told which logs of which repository are meant."""


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `admin policy`."""
    actions = parser.add_subparsers(dest="policy_action", metavar="ACTION", required=True)
    setting = actions.add_parser("set", help="ask something of messages", epilog=_EPILOG)
    setting.usage = f"msglog admin policy set {_PLACE} KEY=VALUE..."
    setting.add_argument("policies", nargs="+", metavar="WORD", help=f"{_PLACE} KEY=VALUE...")
    setting.set_defaults(run=_set)
    unsetting = actions.add_parser("unset", help="ask it no more")
    unsetting.usage = f"msglog admin policy unset {_PLACE} [KEY...]"
    unsetting.add_argument("policies", nargs="+", metavar="WORD", help=f"{_PLACE} [KEY...]")
    unsetting.set_defaults(run=_unset)
    listing = actions.add_parser("list", help="show what is asked")
    listing.add_argument("repository", nargs="?", metavar="REPOSITORY", help="only of this one")
    listing.set_defaults(run=_list)
    for action in (setting, unsetting, listing):
        add_place_options(action)


def _set(arguments: Namespace, context: Context) -> int:
    places = [word for word in arguments.policies if "=" not in word]
    pairs = [word.partition("=") for word in arguments.policies if "=" in word]
    if not pairs:
        raise PolicyError(
            "no policy was given", hint=f"Give KEY=VALUE; KEY is {', '.join(POLICIES)}."
        )
    repository, pattern = _place(places)
    values = [(name, value) for name, _, value in pairs]
    done = change(
        arguments,
        context,
        lambda account: set_policies(account.database, repository, pattern, values),
    )
    _show(done, context)
    return 0


def _unset(arguments: Namespace, context: Context) -> int:
    words: list[str] = list(arguments.policies)
    names: list[str] = []
    while len(words) > 1 and words[-1] in POLICIES:
        names.insert(0, words.pop())
    repository, pattern = _place(words)
    done = change(
        arguments,
        context,
        lambda account: unset_policies(account.database, repository, pattern, names),
    )
    _show(done, context, said="No more: ")
    return 0


def _list(arguments: Namespace, context: Context) -> int:
    with opened(arguments, context) as account:
        found = policies(account.database, arguments.repository)
    _show(found, context)
    return 0


def _place(words: list[str]) -> tuple[str, str]:
    if not 1 <= len(words) <= 2:
        raise PolicyPlaceError(
            "it cannot be told which logs are meant",
            hint="Give a repository, if it is not main, and one pattern of logs.",
        )
    *repository, pattern = words
    return (repository or [DEFAULT_REPOSITORY])[0], pattern


def _show(shown: list[SetPolicy], context: Context, said: str = "") -> None:
    for one in shown:
        if context.json:
            fields = {"repository": one.repository, "pattern": one.pattern}
            context.write(to_json({**fields, "policy": one.name, "value": one.value}))
        elif not context.quiet:
            context.write(f"{said}{one.repository} {one.pattern} {one.name}={one.value}\n")
