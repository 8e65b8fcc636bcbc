"""Showing one finding of a check, as a line for people or as a record."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from porcelain.display import one_line
from porcelain.printing import note

if TYPE_CHECKING:
    from msglog.account.account import Account
    from msglog.account.finding import Finding
    from plumbing.context import Context


def show_finding(finding: Finding, context: Context) -> None:
    """Print a finding."""
    context.write(to_json(_fields(finding)) if context.json else _as_line(finding))


def warn_of_address(account: Account, context: Context) -> None:
    """Warn of what is wrong with the address that an account was given."""
    from msglog.account.postgres_checkup import OF_ADDRESS  # noqa: PLC0415 - only where there is one

    for finding in account.check_server(context.environment):
        if finding.code in OF_ADDRESS:
            note(context, f"msglog: warning: {one_line(finding.what)}. {finding.remedy}")


def show_left(finding: Finding, context: Context) -> None:
    """Print a finding that a person has to put right."""
    if context.json:
        context.write(to_json({**_fields(finding), "state": "left"}))
    else:
        show_finding(finding, context)


def show_fixed(finding: Finding, context: Context, *, done: bool) -> None:
    """Print a finding that has been put right, or would be; done: it has."""
    state = "fixed" if done else "fixable"
    if context.json:
        context.write(to_json({**_fields(finding), "state": state}))
    elif not context.quiet:
        said = "fixed" if done else "would be fixed"
        context.write(
            one_line(f"{_where(finding)}: {said}: {finding.what} [{finding.code}]") + "\n"
        )


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.where,
        "line": finding.line,
        "severity": finding.severity.value,
        "code": finding.code,
        "what": finding.what,
        "remedy": finding.remedy,
    }


def _as_line(finding: Finding) -> str:
    said = f"{finding.severity.value}: {finding.what}. {finding.remedy}"
    return f"{one_line(f'{_where(finding)}: {said} [{finding.code}]')}\n"


def _where(finding: Finding) -> str:
    return finding.where if finding.line is None else f"{finding.where}:{finding.line}"
