"""The first requests, carried by the command line that opens a session.

They name logs and roots only, no message: harmless where the other side turns out to be a shell,
and a round trip saved where it is not. `msglog receive-pack [PATH] [REQUEST...]`.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.refname import is_log_name
from msglog.wire.events import HAVE_LIMIT, Fetch, ListRefs, Push
from msglog.wire.grammar import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

LINE_BYTES_LIMIT = 1024
WORDS_BYTES_LIMIT = 700
"""How long the words of the requests may be, with the blanks between them: the rest of a line is
for the path."""

_BEGINNING = ["msglog", "receive-pack"]
_HEX_DIGITS = "0123456789abcdef"

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
    words = line.split(" ")
    if len(line) > LINE_BYTES_LIMIT or words[:2] != _BEGINNING:
        raise ProtocolError("the command is not `msglog receive-pack [PATH] [REQUEST...]`")
    words = words[2:]
    path = words.pop(0) if words and is_log_name(words[0]) else ""
    return path, parse_requests(words)


def parse_direct_line(line: str) -> list[EarlyRequest]:
    """Return the requests of a line whose repository is decided elsewhere; raises ProtocolError.

    What the client named is passed over, be it a repository or a path.
    """
    words = line.split(" ")
    if len(line) > LINE_BYTES_LIMIT or words[:2] != _BEGINNING:
        raise ProtocolError("the command is not `msglog receive-pack ... [REQUEST...]`")
    words = words[2:]
    if len(words) > 1 and words[0] == "--direct" and words[1] and "\n" not in words[1]:
        words = words[2:]
    elif words and is_log_name(words[0]):
        words = words[1:]
    return parse_requests(words)


def parse_requests(words: Sequence[str]) -> list[EarlyRequest]:
    """Return the requests that words say; raises ProtocolError."""
    if sum(map(len, words)) + len(words) - 1 > WORDS_BYTES_LIMIT:
        raise ProtocolError("the requests on the command line are too long")
    requests: list[EarlyRequest] = []
    for word in words:
        if word == "ls-refs=":
            requests.append(ListRefs())
            continue
        name, equals, value = word.partition("=")
        kind, colon, log = name.partition(":")
        roots = value.split(",") if value else []
        if (
            kind not in ("fetch", "push")
            or not equals
            or not colon
            or not is_log_name(log)
            or len(roots) > HAVE_LIMIT
            or not all(map(_is_root, roots))
        ):
            raise ProtocolError(f"{word[:40]!r} is not a request")
        have = tuple([ObjectId(bytes.fromhex(root)) for root in roots])
        requests.append(Fetch(log, have) if kind == "fetch" else Push(log, have))
    return requests


def _is_root(text: str) -> bool:
    return len(text) == 2 * DIGEST_BYTES and not text.strip(_HEX_DIGITS)
