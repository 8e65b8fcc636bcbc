"""`admin doctor`: checks a whole server account and says what to do."""

import os
import pwd
from argparse import ArgumentParser, Namespace

from msglog.account.account import Account
from msglog.account.checkup import Checkup, check_account
from msglog.account.finding import Finding, Severity
from msglog.account.findings import check_lines
from msglog.account.sshd_settings import (
    WHERE,
    Login,
    Settings,
    asks_for_keys,
    check_settings,
)
from msglog.errors import LocalError, MsglogError
from plumbing.context import Context
from plumbing.program import running_program
from porcelain.admin.examination import examine, sshd_settings
from porcelain.admin.finding import show_finding
from porcelain.admin.place import account_path, inspected, key_file_path, opened
from porcelain.display import one_line

_NEGATIVE = 1


def configure(parser: ArgumentParser) -> None:
    """Add the option of `admin doctor`."""
    parser.add_argument(
        "--sshd-config", metavar="FILE", help="what sshd is started with (its usual one)"
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Check everything, print the findings, the worst first; 1 if there is an error among them.

    What cannot be looked at is a finding too, and does not stop the rest.
    """
    findings: list[Finding] = []
    summary = str(account_path(arguments, context))
    settings = _settings(arguments, context)
    try:
        with opened(arguments, context) as account:
            program = running_program()
            checkup = examine(account, program, context)
            findings += check_account(checkup)
            findings += _check_keys(account, settings, arguments, context)
            summary = _contents(checkup)
            keys = sum(count for _, count in checkup.users)
    except MsglogError as error:
        findings.append(_failure(summary, error))
        keys = 0
    findings += _check_sshd(settings, keys, arguments, context)
    findings.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    for finding in findings:
        show_finding(finding, context)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if not context.json and not context.quiet:
        context.write(f"{one_line(summary)}: {_verdict(errors, len(findings) - errors)}\n")
    return _NEGATIVE if errors else 0


def _check_keys(
    account: Account, settings: Settings | None, arguments: Namespace, context: Context
) -> list[Finding]:
    """Return what `admin key check` finds; no line is missing where sshd asks the tables."""
    try:
        findings = check_lines(inspected(account, arguments, context))
    except LocalError as error:
        return [_failure(str(key_file_path(arguments, context)), error)]
    asked = settings is not None and asks_for_keys(settings)
    return [finding for finding in findings if not (asked and finding.code == "missing-line")]


def _settings(arguments: Namespace, context: Context) -> Settings | None:
    config: str | None = arguments.sshd_config
    path = None if config is None else context.directory / config
    login = _login(arguments, context)
    return None if login is None else sshd_settings(context, login.name, path)


def _login(arguments: Namespace, context: Context) -> Login | None:
    """Return the UNIX account that the server account belongs to; before there is one, ours."""
    try:
        owner = account_path(arguments, context).stat().st_uid
    except OSError:
        owner = os.geteuid()
    try:
        entry = pwd.getpwuid(owner)
    except KeyError:
        return None
    key_file = os.path.normpath(key_file_path(arguments, context))
    return Login(entry.pw_name, owner, entry.pw_dir, key_file)


def _check_sshd(
    settings: Settings | None, keys: int, arguments: Namespace, context: Context
) -> list[Finding]:
    login = _login(arguments, context)
    if settings is not None and login is not None:
        return check_settings(settings, login, keys)
    name = "ACCOUNT" if login is None else login.name
    remedy = f"Look as root at what `sshd -T -C user={name},host=localhost,addr=127.0.0.1` says."
    what = "its settings could not be read here, and are not checked"
    return [Finding(Severity.WARNING, "unread", WHERE, None, what, remedy)]


def _failure(where: str, error: MsglogError) -> Finding:
    what = f"{error.what} ({error.why})" if error.why else error.what
    hint = error.hint or "Put that right first, then ask again."
    return Finding(Severity.ERROR, "unusable", where, None, what, hint)


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
