"""The first requests, carried by the command line that opens a session.

They name logs and roots only, no message: harmless where the other side turns out to be a shell,
and a round trip saved where it is not. `msglog receive-pack [PATH] [REQUEST...]`.
"""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.objectid import ObjectId
from msglog.wire.events import HAVE_LIMIT, Fetch, ListRefs, Push
from msglog.wire.grammar import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

LINE_BYTES_LIMIT = 1024
WORDS_BYTES_LIMIT = 700
"""How long the words of the requests may be, with the blanks between them: the rest of a line is
for the path."""

_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_NAME = rf"{_PART}(?:/{_PART}){{0,3}}"
_ROOTS = rf"(?:[0-9a-f]{{64}}(?:,[0-9a-f]{{64}}){{0,{HAVE_LIMIT - 1}}})?"
_WORD = rf"(?:ls-refs=|(?:fetch|push):{_NAME}={_ROOTS})"
_LINE = re.compile(
    rf"msglog receive-pack(?: (?P<path>{_NAME}))?(?P<requests>(?: {_WORD})*)", re.ASCII
)

_DIRECT_LINE = re.compile(
    rf"msglog receive-pack(?: (?:--direct [^ \n]+|{_NAME}))?(?P<requests>(?: {_WORD})*)", re.ASCII
)

EarlyRequest: TypeAlias = "ListRefs | Fetch | Push"


def format_requests(requests: Sequence[EarlyRequest]) -> list[str]:
    """Return the words for the first of these requests: those that fit and that words can say."""
    words: list[str] = []
    size = 0
    for request in requests:
        word = _format(request)
        if word is None or size + len(word) > WORDS_BYTES_LIMIT:
            break
        words.append(word)
        size += len(word) + 1
    return words


def _format(request: EarlyRequest) -> str | None:
    if isinstance(request, ListRefs):
        return "ls-refs="
    if request != type(request)(request.log, request.have):
        return None
    kind = "fetch" if isinstance(request, Fetch) else "push"
    return f"{kind}:{request.log}={','.join(root.hex() for root in request.have)}"


def parse_request_line(line: str) -> tuple[str, list[EarlyRequest]]:
    """Return the repository ("" for the default) and the requests; raises ProtocolError.

    The whole line must match: nothing of it is ever given to a shell or opened as a file name
    before it has.
    """
    if len(line) > LINE_BYTES_LIMIT or (match := _LINE.fullmatch(line)) is None:
        raise ProtocolError("the command is not `msglog receive-pack [PATH] [REQUEST...]`")
    path = match["path"] or ""
    if ".." in path:
        raise ProtocolError("the path has `..` in it")
    return path, parse_requests(match["requests"].split())


def parse_direct_line(line: str) -> list[EarlyRequest]:
    """Return the requests of a line whose repository is decided elsewhere; raises ProtocolError.

    What the client named is passed over, be it a repository or a path.
    """
    if len(line) > LINE_BYTES_LIMIT or (match := _DIRECT_LINE.fullmatch(line)) is None:
        raise ProtocolError("the command is not `msglog receive-pack ... [REQUEST...]`")
    return parse_requests(match["requests"].split())


def parse_requests(words: Sequence[str]) -> list[EarlyRequest]:
    """Return the requests that words say; raises ProtocolError."""
    if sum(map(len, words)) + len(words) - 1 > WORDS_BYTES_LIMIT:
        raise ProtocolError("the requests on the command line are too long")
    requests: list[EarlyRequest] = []
    for word in words:
        if re.fullmatch(_WORD, word, re.ASCII) is None or ".." in word:
            raise ProtocolError(f"{word[:40]!r} is not a request")
        name, _, value = word.partition("=")
        if name == "ls-refs":
            requests.append(ListRefs())
            continue
        kind, _, log = name.partition(":")
        have = tuple([ObjectId(bytes.fromhex(root)) for root in value.split(",") if root])
        requests.append(Fetch(log, have) if kind == "fetch" else Push(log, have))
    return requests
