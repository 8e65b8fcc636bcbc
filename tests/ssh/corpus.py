"""Real messages from this machine: package changelogs, as JSON Lines for `msglog add --batch`.

`python -m tests.ssh.corpus 100000` prints so many. Each is an entry of a Debian changelog, with its
package as tag and its maintainer's date; the same machine gives the same lines.
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path

DOC = Path("/usr/share/doc")
_START = re.compile(r"(\S+) \(([^)]+)\) ")
_END = re.compile(r" -- (.{1,80}?) <.*>  (.+)")


def changelog_lines() -> Iterator[str]:
    """Yield JSON Lines of all paragraphs of all changelogs, in a fixed order."""
    for path in sorted(DOC.glob("*/changelog*.gz")):
        try:
            text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        except (OSError, EOFError):
            continue
        yield from _entries(path.parent.name, text)


def _entries(package: str, text: str) -> Iterator[str]:
    version = ""
    paragraphs: list[str] = []
    for line in text.splitlines():
        if start := _START.match(line):
            version, paragraphs = start[2], []
        elif (end := _END.match(line)) and version:
            moment = _moment(end[2])
            for number, paragraph in enumerate(paragraphs):
                yield json.dumps(
                    {
                        "time": moment,
                        "author": end[1],
                        "body": f"{package} {version} ({number}): {paragraph}",
                        "tags": ["changelog", package[:100]],
                    },
                    ensure_ascii=False,
                )
            version = ""
        elif line.startswith("  *"):
            paragraphs.append(line.strip(" *"))
        elif line.strip() and paragraphs:
            paragraphs[-1] += "\n" + line.strip()


def _moment(text: str) -> str:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        moment = datetime(2000, 1, 1, tzinfo=UTC)
    if moment.tzinfo is None or abs(moment.utcoffset().total_seconds()) > 14 * 3600:  # type: ignore[union-attr]
        moment = moment.replace(tzinfo=UTC)
    return moment.isoformat()


def real_messages(number: int) -> Iterator[str]:
    """Yield so many lines; where the machine has too few, they come again as later readings."""
    made = 0
    while made < number:
        before = made
        for line in islice(changelog_lines(), number - made):
            yield line
            made += 1
        if made == before:
            raise SystemExit(f"no changelogs below {DOC}")


if __name__ == "__main__":
    for text in real_messages(int(sys.argv[1])):
        sys.stdout.write(text + "\n")
