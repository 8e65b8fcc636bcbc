"""The first requests, carried by the command line that opens a session.

They name logs and roots only, no message: harmless where the other side turns out to be a shell,
and a round trip saved where it is not. `msglog receive-pack [PATH] [REQUEST...]`.
"""

import re
from collections.abc import Sequence

from msglog.objectid import ObjectId
from msglog.wire.codec import ProtocolError
from msglog.wire.events import HAVE_LIMIT, Fetch, ListRefs, Push

COMMAND = "msglog receive-pack"
LINE_BYTES_LIMIT = 1024

_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_NAME = rf"{_PART}(?:/{_PART}){{0,3}}"
_ROOTS = rf"(?:[0-9a-f]{{64}}(?:,[0-9a-f]{{64}}){{0,{HAVE_LIMIT - 1}}})?"
_LINE = re.compile(
    rf"{COMMAND}(?: (?P<path>{_NAME}))?"
    rf"(?P<requests>(?: (?:ls-refs=|(?:fetch|push):{_NAME}={_ROOTS}))*)",
    re.ASCII,
)

EarlyRequest = ListRefs | Fetch | Push


def format_request_line(path: str, requests: Sequence[EarlyRequest]) -> tuple[str, int]:
    """Return the line for a repository (or "") and how many of the requests it carries.

    Only the first requests that fit LINE_BYTES_LIMIT and have no view are carried.
    """
    line = f"{COMMAND} {path}" if path else COMMAND
    carried = 0
    for request in requests:
        word = _format(request)
        if word is None or len(line) + 1 + len(word) > LINE_BYTES_LIMIT:
            break
        line += f" {word}"
        carried += 1
    return line, carried


def _format(request: EarlyRequest) -> str | None:
    if isinstance(request, ListRefs):
        return "ls-refs="
    kind = "fetch" if isinstance(request, Fetch) else "push"
    plain = type(request)(request.log, request.have)
    if request != plain:
        return None
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
    requests: list[EarlyRequest] = []
    for word in match["requests"].split():
        name, _, value = word.partition("=")
        if name == "ls-refs":
            requests.append(ListRefs())
            continue
        kind, _, log = name.partition(":")
        if ".." in log:
            raise ProtocolError("a log's name has `..` in it")
        have = tuple([ObjectId(bytes.fromhex(root)) for root in value.split(",") if root])
        requests.append(Fetch(log, have) if kind == "fetch" else Push(log, have))
    return path, requests
