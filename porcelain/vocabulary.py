"""What was probably meant by a word that has no meaning where it stands, but elsewhere.

In git, in the shell, or in another command: what is merely mistyped is for `msglog.guess`.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.guess import question

if TYPE_CHECKING:
    from collections.abc import Collection

_REMOVE = ("delete", "remove", "unset")
_WORDS = {
    "branch": ("logs",),
    "cat": ("show",),
    "commit": ("add",),
    "create": ("new", "add", "init"),
    "del": _REMOVE,
    "delete": _REMOVE,
    "find": ("search",),
    "follow": ("watch",),
    "fsck": ("verify",),
    "grep": ("search",),
    "ls": ("list",),
    "merge": ("pull",),
    "move": ("rename",),
    "mv": ("rename",),
    "new": ("new", "add"),
    "remove": _REMOVE,
    "rm": _REMOVE,
    "tail": ("watch",),
}
"""What is called otherwise in git and in the shell, and what it is called here."""

_FILTERS = ("author", "tag", "since", "after", "until", "before", "meta")
"""Options of `list` that are words in the query of a search."""


def meant_command(word: str, known: Collection[str], *, most: int = 1) -> str:
    """Return the question whether one of the known commands was meant, or "".

    most: how many may be asked for.
    """
    for other in _WORDS.get(word.lower(), ()):
        if other in known:
            return question(other, [other])
    return question(word, known, most=most)


def meant_option(program: str, option: str) -> str:
    """Return how a search says what is an option of `list`, or ""."""
    name = option.removeprefix("--")
    if program != "msglog search" or name not in _FILTERS:
        return ""
    return f"In a search that is a word of the query: {name}:VALUE."
