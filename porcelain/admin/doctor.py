"""`admin doctor`: checks a whole server account and says what to do."""

from __future__ import annotations

from msglog.account.account import ADDRESS_NAME
from msglog.account.checkup import check_account
from msglog.account.finding import Finding, Severity
from msglog.account.sshd_settings import WHERE, asks_for_principals, check_settings
from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, MsglogError
from plumbing.program import running_program
from porcelain.admin.examination import (
    add_sshd_option,
    ask_sshd,
    examine,
    look_at_keys,
)
from porcelain.admin.finding import show_finding
from porcelain.admin.place import account_path, key_file, opened
from porcelain.admin.soundness import account_faults
from porcelain.display import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from msglog.account.checkup import Checkup
    from plumbing.context import Context
    from porcelain.admin.examination import (
        AskedSshd,
    )

_NEGATIVE = 1


def configure(parser: ArgumentParser) -> None:
    """Add the option of `admin doctor`."""
    add_sshd_option(parser)
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Check everything, print the findings, the worst first; 1 if there is an error among them.

    What cannot be looked at is a finding too, and does not stop the rest.
    """
    findings: list[Finding] = []
    summary = str(account_path(arguments, context))
    sshd = ask_sshd(arguments, context)
    try:
        with opened(arguments, context) as account:
            program = running_program()
            checkup = examine(account, program, context)
            findings += _check_tables(account)
            findings += _check_server(account, context)
            findings += _check_account(checkup, sshd)
            findings += _check_keys(account, sshd, arguments, context)
            summary = _contents(checkup)
            keys = sum(count for _, count in checkup.users)
    except MsglogError as error:
        findings.append(_failure(summary, error))
        keys = 0
    findings += _check_sshd(sshd, keys)
    findings.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    for finding in findings:
        show_finding(finding, context)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if not context.json and not context.quiet:
        context.write(f"{one_line(summary)}: {_verdict(errors, len(findings) - errors)}\n")
    return _NEGATIVE if errors else 0


def _check_tables(account: Account) -> list[Finding]:
    """Return what is damaged in the account's tables."""
    where = account.where
    remedy = "Put the account back with `msglog admin restore --replace`, or correct what it says."
    if account.file_name == ADDRESS_NAME:
        remedy = (
            "Restore a backup to another DIR, and copy that to an empty schema with"
            " `msglog admin migrate --store`; or correct what it says."
        )
    try:
        return [
            Finding(Severity.ERROR, "damaged", where, None, fault, remedy)
            for fault in account_faults(account)
        ]
    except MsglogError as error:
        return [_failure(where, error)]


def _check_server(account: Account, context: Context) -> list[Finding]:
    try:
        return account.check_server(context.environment)
    except MsglogError as error:
        return [_failure(account.where, error)]


def _check_account(checkup: Checkup, sshd: AskedSshd) -> list[Finding]:
    """Return what is wrong with the account; with certificates, nobody needs a key in it."""
    found = check_account(checkup)
    if sshd.settings is None or not asks_for_principals(sshd.settings):
        return found
    return [finding for finding in found if finding.code != "no-keys"]


def _check_keys(
    account: Account, sshd: AskedSshd, arguments: Namespace, context: Context
) -> list[Finding]:
    """Return what `admin key check` finds in files; what it finds in settings comes with all."""
    try:
        return look_at_keys(account, sshd, arguments, context).line_findings()
    except LocalError as error:
        return [_failure(str(key_file(account, arguments, context)), error)]


def _check_sshd(sshd: AskedSshd, keys: int) -> list[Finding]:
    if sshd.settings is not None and sshd.login is not None:
        return check_settings(sshd.settings, sshd.login, keys)
    what = "its settings could not be read here, and are not checked"
    return [Finding(Severity.WARNING, "unread", WHERE, None, what, sshd.remedy)]


def _failure(where: str, error: MsglogError) -> Finding:
    hint = error.hint or "Put that right first, then ask again."
    return Finding(Severity.ERROR, "unusable", where, None, error.clause, hint)


def _contents(checkup: Checkup) -> str:
    keys = sum(count for _, count in checkup.users)
    has = [
        _count(len(checkup.repositories), "repository", "repositories"),
        _count(len(checkup.users), "user", "users"),
        _count(keys, "key", "keys"),
    ]
    return f"{checkup.path} ({', '.join(has)})"


def _verdict(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "all is well"
    found = [_count(errors, "error", "errors")] if errors else []
    found += [_count(warnings, "warning", "warnings")] if warnings else []
    return " and ".join(found) + ("" if errors else "; people can work with it")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
