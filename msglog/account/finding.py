"""One thing that is wrong with a server account, and how bad it is."""

from __future__ import annotations

from msglog.dataclass import dataclass
from msglog.enumeration import Enum


class Severity(Enum):
    """How bad a finding is. ERROR: somebody may do what they should not, or nobody may log in."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    code: a short name for scripts. where: the file or folder. line: its number from 1, or None
    where no line is meant. what: one clause. remedy: one sentence.
    """

    severity: Severity
    code: str
    where: str
    line: int | None
    what: str
    remedy: str
