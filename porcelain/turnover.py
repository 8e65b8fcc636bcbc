"""What one round has moved, both ways, of each log: one line or one object for those it changed."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.dataclass import dataclass, field
from msglog.timestamp import rfc3339
from porcelain.display import one_line
from porcelain.message_json import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plumbing.context import Context
    from plumbing.opening import Target

_ADDED = frozenset({"pulled", "fetched_before", "pushed", "lost"})
"""What adds up where it is reported more than once; of all else the last word counts."""


class Reporter(Protocol):
    """Whose report it is."""

    context: Context
    target: Target


@dataclass(slots=True)
class Turnover:
    """The sum of a round. time: when it began, in microseconds since 1970 UTC."""

    time: int
    _logs: dict[str, dict[str, object]] = field(default_factory=dict)

    def take(self, log: str, fields: Mapping[str, object]) -> None:
        """Take note of what was reported of a log, one way."""
        known = self._logs.setdefault(log, {"pulled": 0, "pushed": 0, "refused": 0, "lost": 0})
        for name, value in fields.items():
            before = known.get(name)
            if name in _ADDED and isinstance(before, int) and isinstance(value, int):
                known[name] = before + value
            else:
                known[name] = value

    @property
    def moved(self) -> bool:
        """Whether a log changed, here or there."""
        return any(map(_moved, self._logs.values()))

    def report(self, one: Reporter) -> None:
        """Print what moved, and with `-v` also what did not; nobody waits for it in a buffer."""
        context = one.context
        for log, fields in self._logs.items():
            if not (_moved(fields) or context.verbose):
                continue
            if context.json:
                moment = rfc3339(self.time, context.local_offset(self.time))
                record = {"remote": one.target.shown, "log": log, "time": moment, **fields}
                context.write(to_json(record))
            elif not context.quiet:
                context.write(f"{one_line(one.target.shown)} {log}: {_text(fields)}\n")
        context.stdout.flush()


def _moved(fields: Mapping[str, object]) -> bool:
    return bool(fields["pulled"] or fields.get("fetched_before") or fields["pushed"])


def _text(fields: Mapping[str, object]) -> str:
    parts = [f"{fields['pulled']} pulled"]
    if before := fields.get("fetched_before"):
        parts.append(f"{before} fetched before")
    parts.append(f"{fields['pushed']} pushed")
    if fields["refused"]:
        parts.append(f"{fields['refused']} refused")
    if (root := fields.get("root")) is not None:
        parts += [f"{fields['count']} in all", f"root {str(root)[:12]}"]
    return ", ".join(parts)
