"""The pages of commands as roff: the part of a manual page that no parser knows.

Of Markdown it takes what those pages have: headings, paragraphs, items, tables, code, links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_INLINE = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<link>[^\]]+)\]\([^)]*\)")


@dataclass
class Prose:
    """What a page says. synopsis, examples: lines as they stand; the others are roff."""

    synopsis: list[str] = field(default_factory=list)
    description: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)


def read(page: str, escape: Callable[[str], str]) -> Prose:
    """Return what the page of a command says. escape: makes text what roff prints as it is."""
    found = Prose()
    into = found.description
    for block in _blocks(page):
        first = block[0]
        if first.startswith("# "):
            continue
        if first.startswith("## "):
            into = found.sections
            into.append(f'.SH "{escape(first[3:].upper())}"')
        elif first.startswith("```console"):
            found.examples += [*block[1:-1], ""]
        elif first.startswith("    ") and not found.synopsis:
            found.synopsis += [line[4:] for line in block]
        elif first.startswith("    "):
            into += [
                *_paragraph(into),
                ".RS 4",
                ".nf",
                *[_line(escape(line[4:])) for line in block],
            ]
            into += [".fi", ".RE"]
        elif first.startswith("|"):
            for row in block[2:]:
                cells = [cell.strip() for cell in row.strip("|").split(" | ")]
                into += [".TP", _line(_inline(cells[0], escape))]
                into.append(_line("; ".join(_inline(cell, escape) for cell in cells[1:])))
        elif first.startswith("- "):
            for item in re.split(r"^- ", "\n".join(block), flags=re.MULTILINE)[1:]:
                into += [r".IP \(bu 2", _line(_inline(" ".join(item.split()), escape))]
        else:
            into += [*_paragraph(into), _line(_inline(" ".join(" ".join(block).split()), escape))]
    return found


def _blocks(page: str) -> list[list[str]]:
    """Return the parts of a page that empty lines divide; of code, they do not."""
    blocks: list[list[str]] = [[]]
    fenced = False
    for line in page.splitlines():
        if line.startswith("```"):
            fenced = not fenced
            if fenced:
                blocks.append([])
        if line.strip() or fenced:
            blocks[-1].append(line)
        else:
            blocks.append([])
    return [block for block in blocks if block]


def _inline(text: str, escape: Callable[[str], str]) -> str:
    parts: list[str] = []
    end = 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[end : match.start()]))
        end = match.end()
        bold = match["code"] or match["strong"]
        parts.append(
            escape(match["link"].replace("`", "")) if bold is None else rf"\fB{escape(bold)}\fR"
        )
    return "".join([*parts, escape(text[end:])])


def _paragraph(before: list[str]) -> list[str]:
    """Return what begins a paragraph, which a heading does by itself."""
    return [] if not before or before[-1].startswith(".SH") else [".PP"]


def _line(text: str) -> str:
    """Return a line that roff does not take for a request, nor for an empty one."""
    return text if text[:1] not in ("", ".", "'") else rf"\&{text}"
