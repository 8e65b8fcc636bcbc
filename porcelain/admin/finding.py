"""Showing one finding of a check, as a line for people or as a record."""

from msglog.account.finding import Finding
from msglog.message_json import to_json
from plumbing.context import Context
from porcelain.display import one_line


def show_finding(finding: Finding, context: Context) -> None:
    """Print a finding."""
    context.write(to_json(_fields(finding)) if context.json else _as_line(finding))


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
    where = finding.where if finding.line is None else f"{finding.where}:{finding.line}"
    text = f"{where}: {finding.severity.value}: {finding.what}. {finding.remedy} [{finding.code}]"
    return f"{one_line(text)}\n"
