"""Threads: messages drawn as trees, each below the one that it answers."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import key_object_id
from msglog.message import Message, decode_object
from msglog.message_scan import scan
from porcelain.drawing import draws_unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeAlias

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from plumbing.context import Context
    from porcelain.listing import Render

DEPTH_LIMIT = 16
"""Deeper replies are drawn as if they were of this depth, so that there is room for their text."""

_ONE_MESSAGE = 1

Marks: TypeAlias = "tuple[str, str, str, str]"
"""Drawn before a reply, before what passes by it, before the last reply, and where something is not
here that was answered. The first three have one width."""

_UNICODE: Marks = ("\u251c\u2500 ", "\u2502  ", "\u2514\u2500 ", "\u2026 ")
_ASCII: Marks = ("|- ", "|  ", "`- ", "... ")


def draw_threads(
    context: Context,
    repository: Repository,
    parts: Iterable[tuple[list[Key], list[bytes]]],
    render: Render,
    *,
    reverse: bool,
    spaced: bool,
) -> None:
    """Write messages as threads: the one that was last added to first, each in order of time.

    reverse: the thread that began first is first. spaced: there is a line between messages.
    A message whose parent is not among them begins a thread, with an ellipsis before it.
    Holds the ids of all messages, and the text of one.
    """
    marks = _UNICODE if draws_unicode(context.environment) else _ASCII
    before = ""
    for drawn in arrange(_parents(parts), marks, reverse=reverse):
        data = repository.store.read_some([drawn.key], _ONE_MESSAGE)[0]
        first, *others = render(drawn.key, data).removesuffix("\n").split("\n")
        lines = [
            f"{drawn.first}{first}",
            *(f"{drawn.further}{line}".rstrip(" ") for line in others),
        ]
        if spaced:
            context.write(drawn.above.rstrip(" ") + before)
            before = "\n"
        context.write("\n".join(lines) + "\n")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A message in its place, with what is drawn above it, before its first line and its others."""

    key: Key
    above: str
    first: str
    further: str
    depth: int


def arrange(
    parents: Mapping[Key, ObjectId | None], marks: Marks, *, reverse: bool
) -> Iterator[Drawn]:
    """Yield messages thread by thread, each below the one that it answers."""
    branch, passing, last, cut = marks
    by_id = {key_object_id(key): key for key in parents}
    replies: dict[Key, list[Key]] = {}
    roots = []
    for key in sorted(parents, reverse=True):
        parent = parents[key]
        above = None if parent is None else by_id.get(parent)
        if above is None:
            roots.append(key)
        else:
            replies.setdefault(above, []).append(key)
    if reverse:
        roots.reverse()
    else:
        roots.sort(key=lambda root: _latest(root, replies), reverse=True)
    for root in roots:
        head = "" if parents[root] is None else cut
        waiting = [Drawn(root, "", head, " " * len(head), 0)]
        while waiting:
            drawn = waiting.pop()
            yield drawn
            start, depth = drawn.further, drawn.depth + 1
            if depth > DEPTH_LIMIT:
                start, depth = start[: -len(passing)], DEPTH_LIMIT
            mark, line = last, " " * len(last)
            for reply in replies.get(drawn.key, ()):  # the newest first, since it is drawn last
                waiting.append(Drawn(reply, start + passing, start + mark, start + line, depth))
                mark, line = branch, passing


def _latest(root: Key, replies: Mapping[Key, list[Key]]) -> Key:
    """Return the last message of a thread."""
    latest = root
    waiting = [root]
    while waiting:
        key = waiting.pop()
        latest = max(latest, key)
        waiting += replies.get(key, ())
    return latest


def _parents(parts: Iterable[tuple[list[Key], list[bytes]]]) -> dict[Key, ObjectId | None]:
    """Return what each message answers."""
    found: dict[Key, ObjectId | None] = {}
    for keys, objects in parts:
        for key, data in zip(keys, objects, strict=True):
            plain = scan(data)
            if plain is not None:
                found[key] = plain[-1]
            else:
                message = decode_object(data)
                found[key] = message.reply_to if isinstance(message, Message) else None
    return found
