"""What the two sides of a session tell each other, as typed events.

docs/protocol.md is the normative text; `msglog.wire.encoder` turns these into packets, and
`msglog.wire.reader` packets into these.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import FIRST_KEY
from msglog.objectid import ObjectId

if TYPE_CHECKING:
    from typing import TypeAlias

    from msglog.index.change import Path
    from msglog.key import Key

PROTOCOL_VERSION = 1
SAID = ObjectId(b"")
"""Stands in a packet for a root that the session has named already; no root is equal to it."""

HAVE_LIMIT = 8
"""How many roots a request may offer."""

PATH_LIMIT = 16_384
"""How many paths a request may name."""

WORDS_LIMIT = 256
"""How many arguments the command of an administrator may have."""

LINES_LIMIT = 4096
"""How many lines of standard input it may have."""

PATTERNS_LIMIT = 64
"""How many patterns of logs a client may watch."""

BATCH_MESSAGES_LIMIT = 4096
TEXT_BYTES_LIMIT = 1000
"""How long the text of an error or a refusal may be; longer ones are cut by the sender."""

BATCH_BYTES_LIMIT = 4 << 20
"""The size of a batch before compression, unless it holds a single larger object."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The server's first words: who it is and what it knows about the client.

    repository: 16 bytes. role: none, append, read, write or admin.
    early: how many requests of the command line have come; None: all that were sent.
    watch: for how many seconds at most it waits before it answers a Watch; None: it knows none.
    """

    agent: str
    repository: bytes
    user: str
    role: str
    early: int | None = None
    watch: int | None = None


@dataclass(frozen=True, slots=True)
class PeerError:
    """A typed error: a code for programs, a text for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The sender is busy and alive."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a list or of a stream of batches."""


@dataclass(frozen=True, slots=True)
class ListRefs:
    """A request for the logs that the user may list."""


@dataclass(frozen=True, slots=True)
class AdvertisedRef:
    """One log of the server."""

    log: str
    root: ObjectId
    count: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """A request for what a log has beyond a base.

    have: roots that could be the base, best first; none asks for everything. Or, after a descent:
    root, one that was advertised, with wants: the base is that root without what lies below them.
    view: the first key of the part of the log that is meant.
    """

    log: str
    have: tuple[ObjectId, ...] = ()
    view: Key = FIRST_KEY
    root: ObjectId | None = None
    wants: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Push:
    """A request for the base on which the client can push to a log.

    have: roots that could be the base, best first. Or, after a descent: root, one that was
    advertised, and the paths of it without which it is the base.
    """

    log: str
    have: tuple[ObjectId, ...] = ()
    view: Key = FIRST_KEY
    root: ObjectId | None = None
    without: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """The server's choice of a base, or base None: it holds none of the roots offered.

    root, count: the log as it is, where the user may fetch.
    """

    log: str
    base: ObjectId | None
    root: ObjectId | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """The head of a stream of batches: what both sides start from, and what it will come to.

    base: SAID in a packet of a client that takes the base which the server has named last for this
    log. count: how many keys root has, from a server only.
    """

    log: str
    base: ObjectId
    root: ObjectId
    count: int | None = None
    view: Key = FIRST_KEY


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a transfer that is made durable as a whole.

    number: counts the sender's batches through the session, from 1. root: base and all batches of
    the transfer up to and with this one; SAID in the packet of the last, which comes to the root of
    the transfer. content: the items, see `msglog.wire.batch`.
    """

    number: int
    messages: int
    root: ObjectId
    content: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """One message of the batch whose acknowledgement follows was refused by policy."""

    key: Key
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A batch is durable; root: the base and all that was accepted of the transfer so far.

    SAID in the packet of a server that has come to the root which the client gave the batch.
    """

    number: int
    root: ObjectId


@dataclass(frozen=True, slots=True)
class Done:
    """A push is over; root, count: the log as it is now, where the user may fetch."""

    log: str
    root: ObjectId | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class GetNodes:
    """A request for nodes of an advertised root by their paths.

    width: how many bytes of each digest are wanted, 16 or 32. Each node: its path and what the
    client knows of its children, see `msglog.wire.descent`.
    """

    log: str
    root: ObjectId
    width: int
    nodes: tuple[tuple[Path, bytes], ...]
    view: Key = FIRST_KEY


@dataclass(frozen=True, slots=True)
class NodeData:
    """One node of an index, abbreviated; see `msglog.wire.descent`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Administer:
    """A request to run one command of an administrator on the account that the server is.

    words: the command's arguments, as after `msglog admin`. lines: its standard input.
    """

    words: tuple[str, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Printed:
    """One line that such a command printed, without its newline. noted: on standard error."""

    text: str
    noted: bool = False


@dataclass(frozen=True, slots=True)
class Concluded:
    """The end of such a command: its exit status, and what its error says, or ""."""

    status: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """A request for the logs that are not as this session was told last, when there are such.

    patterns: names of logs in which `*` stands for any characters; none means all logs.
    """

    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """A log that a client watches is not there any more, or not for this client."""

    log: str


Event: TypeAlias = (
    Greeting
    | PeerError
    | KeepAlive
    | End
    | ListRefs
    | AdvertisedRef
    | Fetch
    | Push
    | Base
    | Transfer
    | Batch
    | Refused
    | Acknowledged
    | Done
    | GetNodes
    | NodeData
    | Administer
    | Printed
    | Concluded
    | Watch
    | Gone
)
