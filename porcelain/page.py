"""Messages as a page of Markdown for people: a heading a day, and each message as a quotation.

What messages say is text and nothing else: whatever Markdown (CommonMark, GitHub's, Python-Markdown
with its usual extensions) would take for a mark is escaped, so that no message can end its
quotation, make a heading or a link, or bring in HTML. Marks that Markdown knew from the beginning
get a backslash; the others are written as HTML's entities, which all of them read.
"""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_object_id
from msglog.message import Foreign, decode_object
from msglog.timestamp import readable
from porcelain.display import block, one_line
from porcelain.rendering import meta_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.key import Key

_TAB = "    "
_HARD_SPACE = "\u00a0"
_BREAK = "  \n"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "~": "&#126;", "$": "&#36;"}
_ANYWHERE = str.maketrans({**_ENTITIES, **{mark: f"\\{mark}" for mark in "\\`*_[]{}"}})
_AT_START = re.compile(r"[#+!-]|[=:?/%^\"'.]|\d{1,9}(?=[.)])", re.ASCII)


class Page:
    """The messages of one page, in the order in which they are given.

    length: how many digits of ids are shown. local_offset: minutes east of UTC at a time, by which
    days begin.
    """

    def __init__(self, length: int, local_offset: Callable[[int], int]) -> None:
        self._length = length
        self._local_offset = local_offset
        self._day = ""

    def head(self, log: str) -> str:
        """Return the beginning of the page."""
        return f"# {escape(log)}\n"

    def message(self, key: Key, data: bytes) -> str:
        """Return an object, whose digest has been checked; before it the day, where one begins."""
        found = decode_object(data)
        day, clock, _ = readable(found.time, self._local_offset(found.time)).split(" ")
        before = "" if day == self._day else f"\n## {day}\n"
        self._day = day
        oid = f"`{key_object_id(key).hex()[: self._length]}`"
        if isinstance(found, Foreign):
            return f"{before}\n**{clock}** · {oid}\n{quotation(_NEWER + found.needs)}"
        said = [f"**{clock}** {escape(one_line(found.author))}"]
        if found.tags:
            said.append(escape(", ".join(map(one_line, found.tags))))
        said += [
            escape(f"{one_line(name)}={meta_text(value)}") for name, value in found.meta.items()
        ]
        if found.reply_to is not None:
            said.append(f"answers `{found.reply_to.hex()[: self._length]}`")
        return f"{before}\n{' · '.join([*said, oid])}\n{quotation(found.body)}"


_NEWER = "needs a newer msglog: "


def quotation(text: str) -> str:
    """Return text of several lines as a quotation that it cannot leave, after an empty line."""
    quoted = ""
    paragraph: list[str] = []
    for line in [*block(text).split("\n"), ""]:
        if line.strip():
            paragraph.append(f"> {_line(line)}")
        elif paragraph:
            quoted += (">\n" if quoted else "\n") + _BREAK.join(paragraph) + "\n"
            paragraph = []
    return quoted


def escape(text: str) -> str:
    """Return text, on one line and not at its beginning, in which nothing is a mark."""
    return text.translate(_ANYWHERE)


def _line(line: str) -> str:
    inner = line.strip()
    indent = line[: len(line) - len(line.lstrip())].replace("\t", _TAB)
    return _HARD_SPACE * len(indent) + _start(escape(inner))


def _start(text: str) -> str:
    """Return the text of a line, in which nothing at the beginning is a mark."""
    found = _AT_START.match(text)
    if found is None:
        return text
    mark, rest = found[0], text[found.end() :]
    if mark[0].isdigit():
        return f"{mark}\\{rest}"
    return f"\\{text}" if mark in "#+!-." else f"&#{ord(mark)};{rest}"
