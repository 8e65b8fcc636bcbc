"""All that is known of the keys of a server account, and what is wrong with it.

The file that msglog writes, the other files that sshd reads for the same UNIX account, and sshd's
settings, where they may be read.
"""

from __future__ import annotations

from collections import Counter

from msglog.account.findings import check_lines, check_other_lines
from msglog.account.sshd_lines import check_lines_under
from msglog.account.sshd_settings import asks_for_keys, check_key_settings
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.account.finding import Finding
    from msglog.account.findings import Inspection
    from msglog.account.sshd_settings import Login, Settings


@dataclass(frozen=True, slots=True)
class KeyView:
    """What was looked at. settings, login: None where sshd could not be asked.

    unread: what was found wrong while looking. The account's own file counts as empty where it
    could not be read.
    """

    inspection: Inspection
    others: tuple[Inspection, ...] = ()
    settings: Settings | None = None
    login: Login | None = None
    unread: tuple[Finding, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether the account's own file could be read."""
        return all(finding.where != self.inspection.path for finding in self.unread)

    def line_findings(self) -> list[Finding]:
        """Return what is wrong with files and their lines.

        No line is missing where sshd asks the tables.
        """
        asked = self.settings is not None and asks_for_keys(self.settings)
        found = [
            finding
            for finding in check_lines(self.inspection)
            if not (asked and finding.code == "missing-line")
        ]
        for other in self.others:
            found += check_other_lines(other)
        if self.settings is not None and self.login is not None:
            for one in (self.inspection, *self.others):
                found += check_lines_under(one, self.settings, self.login)
        found += self.unread
        return sorted(found, key=self._order)

    def findings(self) -> list[Finding]:
        """Return what is wrong, with the settings that decide whether the lines count first."""
        if self.settings is None or self.login is None:
            return self.line_findings()
        keys = len(self.inspection.expected)
        return [*check_key_settings(self.settings, self.login, keys), *self.line_findings()]

    def subjects(self, findings: list[Finding]) -> list[tuple[str, str, bytes]]:
        """Return what each finding is about, in words that stay when lines move."""
        lines = self.inspection.data.split(b"\n")
        return [self._subject(finding, lines) for finding in findings]

    def _subject(self, finding: Finding, lines: list[bytes]) -> tuple[str, str, bytes]:
        if finding.line is None or finding.where != self.inspection.path:
            text = finding.what.encode("utf-8", "surrogateescape")
            return finding.code, finding.where, text
        return finding.code, finding.where, lines[finding.line - 1]

    def _order(self, finding: Finding) -> tuple[bool, str, int]:
        return finding.where != self.inspection.path, finding.where, finding.line or 0


def gone(before: KeyView, after: KeyView) -> Iterator[Finding]:
    """Yield the findings of a view that another, later one no longer has."""
    found = before.findings()
    later = after.findings()
    left = Counter(after.subjects(later))
    for finding, subject in zip(found, before.subjects(found), strict=True):
        if left[subject]:
            left[subject] -= 1
        else:
            yield finding
