"""Recording in the audit what administrators change, on the machine itself or over a session."""

from __future__ import annotations

from pathlib import Path

from msglog.account.account import Account
from msglog.account.audit import OK, REFUSED, Act, Trail, Visit
from msglog.account.record import UnknownKeyError, UnknownUserError
from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, LocalError, MsglogError, NotAuthorisedError, RefusedError
from porcelain.admin.place import account_path, follow, opened

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from typing import TypeAlias, TypeVar

    from plumbing.context import Context

    _Result = TypeVar("_Result")

Command: TypeAlias = "Callable[[Namespace, Context], int]"

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
        "metrics",
        "doctor",
    )
)
"""What changes nothing."""

_SUBACTIONS = ("user_action", "key_action", "policy_action", "repository_action")
_NAMED = (
    *("name", "new", "user", "role", "where", "fingerprint", "replacing"),
    *("setting", "value", "policies", "fixed", "archive"),
)
_CHANGING_FILES = (
    "init",
    "key sync",
    "key check",
    "repository add",
    "gc",
    "backup",
    "restore",
    "migrate",
)
_CHANGING_KEYS = ("key add", "key remove", "key rm", "key rotate", "user remove", "user rm")
_MAKING = ("init", "restore")
"""What makes the account in the folder that it names."""

_SESSION_BYTES = 8


def run_recorded(run: Command, arguments: Namespace, context: Context) -> int:
    """Run a subcommand of `admin`, and record it if it may have changed something.

    A change of the account's tables records itself, see `change`; one of files, and what failed,
    is recorded when it is over. What only reads is recorded where it came over a session.
    """
    operation = f"admin {_action(arguments)}"
    reads = _only_reads(arguments)
    if reads and context.delegation is None:
        return run(arguments, context)
    try:
        status = run(arguments, context)
    except MsglogError as error:
        _record(arguments, context, Act(operation, result=_result(error)), error.clause)
        raise
    if reads or _action(arguments) in _CHANGING_FILES:
        _record(arguments, context, Act(operation), "")
    return status


def change(
    arguments: Namespace,
    context: Context,
    work: Callable[[Account], _Result],
    *,
    keys: bool = False,
) -> _Result:
    """Open the account, and do work that changes it and is recorded, or neither.

    work may be done from the start again. keys: authorized_keys is brought in step with it, also
    where a user or key that is to be removed is gone already. Raises NotAuthorisedError if the
    administrator who is elsewhere is none any more, and what `opened` and `follow` raise.
    """
    with opened(arguments, context) as account:
        try:
            result = account.database.together(lambda: _recorded(account, arguments, context, work))
        except (UnknownUserError, UnknownKeyError):
            # Whoever removed it may have been cut off before the file was reached.
            if keys:
                follow(account, arguments, context)
            raise
        if keys:
            follow(account, arguments, context)
    return result


def _recorded(
    account: Account, arguments: Namespace, context: Context, work: Callable[[Account], _Result]
) -> _Result:
    """Do work in a transaction that there is, and record it."""
    delegation = context.delegation
    if delegation is not None and not account.still_valid(delegation.access):
        raise NotAuthorisedError("not authorised any more")
    before = _keys(account, arguments)
    result = work(account)
    after = _keys(account, arguments)
    changes = [
        *[f"+{key}" for key in sorted(after - before)],
        *[f"-{key}" for key in sorted(before - after)],
    ]
    detail = " ".join([*_words(arguments), *changes])
    act = Act(f"admin {_action(arguments)}", detail=detail)
    _trail(account, context).record(act, durable=True)
    return result


def _result(error: MsglogError) -> str:
    match error:
        case RefusedError():
            return REFUSED
        case NotAuthorisedError():
            return "not-authorised"
        case _:
            return FAILED


def _only_reads(arguments: Namespace) -> bool:
    action = _action(arguments)
    if action == "set":
        return arguments.value is None
    if action in ("gc", "restore"):
        return bool(arguments.dry_run)
    if getattr(arguments, "fix", False) and not arguments.dry_run:
        return False
    return action in READING


def _action(arguments: Namespace) -> str:
    words = [arguments.action, *(getattr(arguments, name, None) for name in _SUBACTIONS)]
    return " ".join([word for word in words if word])


def _record(arguments: Namespace, context: Context, act: Act, error: str) -> None:
    path = account_path(arguments, context)
    if arguments.action in _MAKING and arguments.folder is not None:
        path = Path(context.directory, arguments.folder)
    try:
        account = Account.open(path)
    except (LocalError, IntegrityError):
        if act.result == OK:
            raise
        return  # there is no account whose audit this could be in
    try:
        detail = " ".join([*_words(arguments), *([f"({error})"] if error else [])])
        act = Act(act.operation, result=act.result, detail=detail)
        _trail(account, context).record(act, durable=True)
    finally:
        account.close()


def _trail(account: Account, context: Context) -> Trail:
    if context.delegation is not None:
        visit = context.delegation.visit
    else:
        visit = Visit(f"unix:{context.login}", session=context.random(_SESSION_BYTES).hex())
    return Trail(account.database, visit, context.now)


def _words(arguments: Namespace) -> list[str]:
    words: list[str] = []
    for name in _NAMED:
        value = getattr(arguments, name, None)
        if isinstance(value, list):
            words += value
        elif value is not None:
            words.append(str(value))
    return words


def _keys(account: Account, arguments: Namespace) -> set[str]:
    """Return the fingerprints of the user whose keys a command may change."""
    if not _action(arguments).startswith(_CHANGING_KEYS):
        return set()
    user: str = getattr(arguments, "user", None) or arguments.name
    return {key.key.fingerprint for key in account.keys_of(user)}
