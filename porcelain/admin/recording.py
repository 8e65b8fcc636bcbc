"""Recording in the audit what an administrator changes on the machine itself."""

from argparse import Namespace
from collections.abc import Callable
from typing import TypeAlias

from msglog.account.account import Account
from msglog.account.audit import OK, REFUSED, Act, Trail, Visit
from msglog.errors import LocalError, MsglogError, RefusedError
from plumbing.context import Context
from porcelain.admin.place import account_path

Command: TypeAlias = Callable[[Namespace, Context], int]

FAILED = "failed"
READING = frozenset(
    (
        "user list",
        "user show",
        "key list",
        "key check",
        "policy list",
        "repository list",
        "audit",
        "doctor",
    )
)
"""What changes nothing and is not recorded."""

_SUBACTIONS = ("user_action", "key_action", "policy_action", "repository_action")
_NAMED = (
    *("name", "new", "user", "role", "where", "fingerprint", "replacing"),
    *("setting", "value", "policies"),
)
_CHANGING_KEYS = ("key add", "key remove", "key rm", "key rotate", "user remove", "user rm")
_SESSION_BYTES = 8


def run_recorded(run: Command, arguments: Namespace, context: Context) -> int:
    """Run a subcommand of `admin`, and record it if it may have changed something.

    The record follows the change, in a transaction of its own.
    """
    action = _action(arguments)
    if _only_reads(action, arguments):
        return run(arguments, context)
    before = _keys(arguments, context)
    try:
        status = run(arguments, context)
    except MsglogError as error:
        result = REFUSED if isinstance(error, RefusedError) else FAILED
        _record(arguments, context, Act(f"admin {action}", result=result), before, str(error))
        raise
    _record(arguments, context, Act(f"admin {action}"), before, "")
    return status


def _only_reads(action: str, arguments: Namespace) -> bool:
    if action == "set":
        return arguments.value is None
    return action in READING and not getattr(arguments, "fix", False)


def _action(arguments: Namespace) -> str:
    words = [arguments.action, *(getattr(arguments, name, None) for name in _SUBACTIONS)]
    return " ".join([word for word in words if word])


def _record(arguments: Namespace, context: Context, act: Act, before: set[str], error: str) -> None:
    path = account_path(arguments, context)
    if getattr(arguments, "folder", None) is not None:
        path = context.directory / arguments.folder
    try:
        account = Account.open(path)
    except LocalError:
        if act.result == OK:
            raise
        return  # there is no account whose audit this could be in
    try:
        after = _keys(arguments, context)
        detail = " ".join(
            [
                *_words(arguments),
                *[f"+{key}" for key in sorted(after - before)],
                *[f"-{key}" for key in sorted(before - after)],
                *([f"({error})"] if error else []),
            ]
        )
        visit = Visit(f"unix:{context.login}", session=context.random(_SESSION_BYTES).hex())
        act = Act(act.operation, result=act.result, detail=detail)
        Trail(account.database, visit, context.now).record(act, durable=True)
    finally:
        account.close()


def _words(arguments: Namespace) -> list[str]:
    words: list[str] = []
    for name in _NAMED:
        value = getattr(arguments, name, None)
        if isinstance(value, list):
            words += value
        elif value is not None:
            words.append(str(value))
    return words


def _keys(arguments: Namespace, context: Context) -> set[str]:
    """Return the fingerprints of the user whose keys a command may change."""
    if not _action(arguments).startswith(_CHANGING_KEYS):
        return set()
    user: str = getattr(arguments, "user", None) or arguments.name
    try:
        account = Account.open(account_path(arguments, context))
    except LocalError:
        return set()
    try:
        return {key.key.fingerprint for key in account.keys_of(user)}
    finally:
        account.close()
