"""Events to packets and back: the grammar of docs/protocol.md, with its limits."""

import re
from collections.abc import Callable, Iterator

from msglog.errors import RemoteError
from msglog.index.change import Path
from msglog.index.node import NODE_BYTES_LIMIT
from msglog.key import FIRST_KEY, KEY_NIBBLES, Key
from msglog.objectid import ObjectId
from msglog.refname import LOG_PREFIX, is_log_name
from msglog.wire import batch
from msglog.wire.events import (
    HAVE_LIMIT,
    PATH_LIMIT,
    PROTOCOL_VERSION,
    Acknowledged,
    AdvertisedRef,
    Base,
    Batch,
    Done,
    End,
    Event,
    Fetch,
    GetNodes,
    Greeting,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Push,
    Refused,
    Transfer,
)
from msglog.wire.pktline import (
    DELIMITER_PACKET,
    FLUSH_PACKET,
    PAYLOAD_BYTES_LIMIT,
    Mark,
    PacketReader,
    encode_packet,
)

GROUP_BYTES_LIMIT = 4 << 20
"""How long the packets of one request or answer may be together."""

ARGUMENTS_LIMIT = PATH_LIMIT + 16
"""How many packets a request or an answer may have: short ones cost more than their bytes."""

TEXT_BYTES_LIMIT = 1000
"""How long the text of an error or a refusal may be; longer ones are cut by the sender."""

_DATA = b"\x01"
_DATA_BYTES = PAYLOAD_BYTES_LIMIT - len(_DATA)
_ROOT = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[0-9a-f]{80}")
_NIBBLES = re.compile(r"[0-9a-f]{0,80}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_CODE = re.compile(r"[a-z][a-z-]{0,31}")
_WORD = re.compile(r"[\x21-\x7e]{1,128}")
_AGENT_FIELDS = ("agent", "repository", "user", "role")


class ProtocolError(RemoteError):
    """The peer sent packets that the protocol does not allow."""

    def __init__(self, why: str) -> None:
        super().__init__("the peer breaks the msglog protocol", why=why)


class VersionError(RemoteError):
    """The peer speaks another version of the protocol."""


def encode_event(event: Event) -> bytes:
    """Return the packets of an event."""
    return b"".join(_encode(event))


def _encode(event: Event) -> Iterator[bytes]:
    match event:
        case Greeting():
            yield _text(f"msglog {PROTOCOL_VERSION}")
            yield _text(f"agent={event.agent}")
            yield _text("object-format=sha256")
            yield _text(f"repository={event.repository.hex()}")
            yield _text(f"user={event.user}")
            yield _text(f"role={event.role}")
            yield FLUSH_PACKET
        case PeerError():
            yield _text(f"error {event.code} {_cut(event.text)}")
        case KeepAlive():
            yield _text("keep-alive")
        case End():
            yield FLUSH_PACKET
        case ListRefs():
            yield _text("ls-refs")
            yield FLUSH_PACKET
        case AdvertisedRef():
            yield _text(f"ref {event.root.hex()} {event.count} {LOG_PREFIX}{event.log}")
        case Fetch() | Push():
            yield _text("fetch" if isinstance(event, Fetch) else "push")
            yield _text(f"log={event.log}")
            yield from _view(event.view)
            for root in event.have:
                yield _text(f"have={root.hex()}")
            if event.root is not None:
                yield _text(f"root={event.root.hex()}")
                name, paths = (
                    ("want", event.wants)
                    if isinstance(event, Fetch)
                    else ("without", event.without)
                )
                for path in paths:
                    yield _text(f"{name}={format_path(path)}")
            yield FLUSH_PACKET
        case Base():
            yield _text("no-base" if event.base is None else "base")
            yield _text(f"log={event.log}")
            if event.base is not None:
                yield _text(f"base={event.base.hex()}")
            yield from _state(event.root, event.count)
            yield FLUSH_PACKET
        case Transfer():
            yield _text("transfer")
            yield _text(f"log={event.log}")
            yield from _view(event.view)
            yield _text(f"base={event.base.hex()}")
            yield from _state(event.root, event.count)
            yield DELIMITER_PACKET
        case Batch():
            form, data = batch.compress(event.content)
            size = len(event.content)
            yield _text(f"batch {event.number} {event.messages} {size} {form} {event.root.hex()}")
            for start in range(0, len(data), _DATA_BYTES):
                yield encode_packet(_DATA + data[start : start + _DATA_BYTES])
            yield DELIMITER_PACKET
        case Refused():
            yield _text(f"refused {event.key.hex()} {event.code} {_cut(event.why)}")
        case Acknowledged():
            yield _text(f"ack {event.number} {event.root.hex()}")
        case Done():
            yield _text("done")
            yield _text(f"log={event.log}")
            yield from _state(event.root, event.count)
            yield FLUSH_PACKET
        case GetNodes():
            yield _text("get-nodes")
            yield _text(f"log={event.log}")
            yield from _view(event.view)
            yield _text(f"root={event.root.hex()}")
            yield _text(f"width={event.width}")
            for path, known in event.nodes:
                yield _text(f"node={format_path(path)}:{known.hex()}")
            yield FLUSH_PACKET
        case NodeData():
            yield encode_packet(_DATA + event.data)


def _text(text: str) -> bytes:
    return encode_packet(text.encode())


def _cut(text: str) -> str:
    one_line = " ".join(text.split()) or "-"
    return one_line.encode("utf-8", "replace")[:TEXT_BYTES_LIMIT].decode("utf-8", "ignore")


def _view(view: Key) -> Iterator[bytes]:
    if view != FIRST_KEY:
        yield _text(f"view={view.hex()}")


def _state(root: ObjectId | None, count: int | None) -> Iterator[bytes]:
    if root is not None:
        yield _text(f"root={root.hex()}")
    if count is not None:
        yield _text(f"count={count}")


def format_path(path: Path) -> str:
    """Return the nibbles of a path as hex digits."""
    depth, prefix = path
    return prefix.hex()[:depth]


def parse_path(text: str) -> Path:
    """Return the path that hex digits spell; raises ProtocolError."""
    if _NIBBLES.fullmatch(text) is None:
        raise ProtocolError("a path is not 0 to 80 hex digits")
    return len(text), bytes.fromhex(text + "0" * (len(text) & 1))


class EventReader:
    """Turns a stream of bytes into events; holds at most one incomplete event."""

    __slots__ = ("_arguments", "_content", "_head", "_packets", "_size")

    def __init__(self) -> None:
        self._packets = PacketReader()
        self._head = ""
        self._arguments: list[str] = []
        self._content = bytearray()
        self._size = 0

    @property
    def pending(self) -> bool:
        """Whether the stream stopped within an event."""
        return bool(self._head or self._packets.pending)

    @property
    def begun(self) -> bytes:
        """The bytes of a packet that is not complete yet."""
        return self._packets.pending

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the events that data complete; raises FramingError, ProtocolError and kin."""
        for packet in self._packets.receive(data):
            event = self._take(packet)
            if event is not None:
                yield event

    def _take(self, packet: bytes | Mark) -> Event | None:
        if isinstance(packet, Mark):
            return self._mark(packet)
        if packet[:1] == _DATA:
            return self._data(packet)
        try:
            text = packet.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError("a packet is not UTF-8") from error
        word, _, rest = text.partition(" ")
        if text == "keep-alive":
            return KeepAlive()
        if self._head:
            if self._head.startswith("batch"):
                raise ProtocolError("a batch is interrupted")
            if word == "error" and self._head.startswith("msglog"):
                self._head = ""
                return _single_error(rest)
            self._size += len(packet)
            if self._size > GROUP_BYTES_LIMIT or len(self._arguments) >= ARGUMENTS_LIMIT:
                raise ProtocolError("a request or an answer is too long")
            self._arguments.append(text)
            return None
        single = _SINGLES.get(word)
        if single is not None:
            return single(rest)
        if word not in _GROUPS or (text != word and word not in ("msglog", "batch")):
            raise ProtocolError(f"{text[:40]!r} was not expected")
        self._head, self._arguments, self._size = text, [], 0
        self._content = bytearray()
        if word == "batch":
            batch.check_head(*_batch_sizes(rest))
        elif word == "msglog" and rest != str(PROTOCOL_VERSION):
            raise VersionError(
                f"the server speaks version {rest[:20]!r} of the protocol",
                why=f"this msglog speaks version {PROTOCOL_VERSION}",
                hint="Install the same generation of msglog on both sides.",
            )
        return None

    def _data(self, packet: bytes) -> NodeData | None:
        if not self._head:
            if len(packet) > NODE_BYTES_LIMIT:
                raise ProtocolError("a node is too long")
            return NodeData(packet[1:])
        if not self._head.startswith("batch"):
            raise ProtocolError("data where text belongs")
        self._content += packet[1:]
        _, size = _batch_sizes(self._head.partition(" ")[2])
        if len(self._content) > batch.stored_limit(size):
            raise ProtocolError("a batch is longer than it said")
        return None

    def _mark(self, mark: Mark) -> Event:
        head, self._head = self._head, ""
        if not head:
            if mark is Mark.DELIMITER:
                raise ProtocolError("a delimiter was not expected")
            return End()
        word, _, rest = head.partition(" ")
        closing, parse = _GROUPS[word]
        if mark is not closing:
            raise ProtocolError(f"{word} ends with the wrong packet")
        if word == "batch":
            content, self._content = bytes(self._content), bytearray()
            return _parse_batch(rest, content)
        return parse(_Arguments(self._arguments))


class _Arguments:
    """The `name=value` packets of a request or an answer, each to be taken once."""

    def __init__(self, texts: list[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals:
                raise ProtocolError(f"{text[:40]!r} is not an argument")
            self._values.setdefault(name, []).append(value)

    def one(self, name: str) -> str:
        values = self._values.pop(name, [])
        if len(values) != 1:
            raise ProtocolError(f"{name} is given {len(values)} times, not once")
        return values[0]

    def optional(self, name: str) -> str | None:
        return self.one(name) if name in self._values else None

    def many(self, name: str, limit: int) -> list[str]:
        values = self._values.pop(name, [])
        if len(values) > limit:
            raise ProtocolError(f"{name} is given more than {limit} times")
        return values

    def log(self) -> str:
        name = self.one("log")
        if not is_log_name(name):
            raise ProtocolError("log is not the name of a log")
        return name

    def view(self) -> Key:
        text = self.optional("view")
        return FIRST_KEY if text is None else _parse_key(text)

    def root(self, name: str = "root") -> ObjectId:
        return _parse_root(self.one(name))

    def optional_root(self, name: str = "root") -> ObjectId | None:
        text = self.optional(name)
        return None if text is None else _parse_root(text)

    def count(self) -> int | None:
        text = self.optional("count")
        return None if text is None else _parse_number(text)

    def paths(self, name: str) -> tuple[Path, ...]:
        return tuple([parse_path(text) for text in self.many(name, PATH_LIMIT)])

    def have(self) -> tuple[ObjectId, ...]:
        return tuple([_parse_root(text) for text in self.many("have", HAVE_LIMIT)])

    def finish(self) -> None:
        if self._values:
            raise ProtocolError(f"{next(iter(self._values))[:40]!r} is not an argument here")

    def forget(self) -> None:
        """Leave what a later version may say; but nothing may be said twice."""
        for name in list(self._values):
            self.one(name)


def _parse_root(text: str) -> ObjectId:
    if _ROOT.fullmatch(text) is None:
        raise ProtocolError("a root is not 64 hex digits")
    return ObjectId(bytes.fromhex(text))


def _parse_key(text: str) -> Key:
    if _KEY.fullmatch(text) is None:
        raise ProtocolError("a key is not 80 hex digits")
    return Key(bytes.fromhex(text))


def _parse_number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ProtocolError("a number is not in decimal form")
    return int(text)


def _fields(text: str, count: int) -> list[str]:
    fields = text.split(" ", count - 1)
    if len(fields) != count:
        raise ProtocolError("a packet has too few fields")
    return fields


def _single_ref(rest: str) -> AdvertisedRef:
    root, count, name = _fields(rest, 3)
    log = name.removeprefix(LOG_PREFIX)
    if log == name or not is_log_name(log):
        raise ProtocolError("a ref is not the name of a log")
    return AdvertisedRef(log, _parse_root(root), _parse_number(count))


def _single_error(rest: str) -> PeerError:
    code, text = _fields(rest, 2)
    if _CODE.fullmatch(code) is None or len(text.encode()) > TEXT_BYTES_LIMIT:
        raise ProtocolError("an error is not in its form")
    return PeerError(code, text)


def _single_refused(rest: str) -> Refused:
    key, code, why = _fields(rest, 3)
    if _CODE.fullmatch(code) is None or len(why.encode()) > TEXT_BYTES_LIMIT:
        raise ProtocolError("a refusal is not in its form")
    return Refused(_parse_key(key), code, why)


def _single_acknowledged(rest: str) -> Acknowledged:
    number, root = _fields(rest, 2)
    return Acknowledged(_parse_number(number), _parse_root(root))


def _batch_sizes(rest: str) -> tuple[int, int]:
    _, messages, size, _, _ = _fields(rest, 5)
    return _parse_number(messages), _parse_number(size)


def _parse_batch(rest: str, data: bytes) -> Batch:
    number, messages, size, form, root = _fields(rest, 5)
    content = batch.expand(form, data, _parse_number(size))
    return Batch(_parse_number(number), _parse_number(messages), _parse_root(root), content)


def _parse_greeting(arguments: _Arguments) -> Greeting:
    if arguments.one("object-format") != "sha256":
        raise ProtocolError("the object format is not sha256")
    agent, repository, user, role = (arguments.one(name) for name in _AGENT_FIELDS)
    if not all(_WORD.fullmatch(text) for text in (agent, user, role)):
        raise ProtocolError("the greeting is not in its form")
    if re.fullmatch(r"[0-9a-f]{32}", repository) is None:
        raise ProtocolError("the repository id is not 32 hex digits")
    arguments.forget()
    return Greeting(agent, bytes.fromhex(repository), user, role)


def _parse_ls_refs(arguments: _Arguments) -> ListRefs:
    arguments.finish()
    return ListRefs()


def _parse_fetch(arguments: _Arguments) -> Fetch:
    event = Fetch(
        log=arguments.log(),
        have=arguments.have(),
        view=arguments.view(),
        root=arguments.optional_root(),
        wants=arguments.paths("want"),
    )
    arguments.finish()
    if (event.root is None) != (not event.wants) or (event.root is not None and event.have):
        raise ProtocolError("fetch takes either roots that one has, or a root and wants")
    return event


def _parse_push(arguments: _Arguments) -> Push:
    event = Push(
        log=arguments.log(),
        have=arguments.have(),
        view=arguments.view(),
        root=arguments.optional_root(),
        without=arguments.paths("without"),
    )
    arguments.finish()
    if event.root is None if event.without else event.root is not None and event.have:
        raise ProtocolError("push takes either roots that one has, or a root without paths")
    return event


def _parse_base(arguments: _Arguments) -> Base:
    event = Base(
        arguments.log(), arguments.root("base"), arguments.optional_root(), arguments.count()
    )
    arguments.finish()
    return event


def _parse_no_base(arguments: _Arguments) -> Base:
    event = Base(arguments.log(), None, arguments.optional_root(), arguments.count())
    arguments.finish()
    return event


def _parse_transfer(arguments: _Arguments) -> Transfer:
    event = Transfer(
        log=arguments.log(),
        view=arguments.view(),
        base=arguments.root("base"),
        root=arguments.root(),
        count=arguments.count(),
    )
    arguments.finish()
    return event


def _parse_done(arguments: _Arguments) -> Done:
    event = Done(arguments.log(), arguments.optional_root(), arguments.count())
    arguments.finish()
    return event


def _parse_get_nodes(arguments: _Arguments) -> GetNodes:
    nodes: list[tuple[Path, bytes]] = []
    for text in arguments.many("node", PATH_LIMIT):
        path, _, known = text.partition(":")
        if re.fullmatch(r"(?:[0-9a-f]{128})?", known) is None:
            raise ProtocolError("what is known of a node is not 0 or 128 hex digits")
        nodes.append((parse_path(path), bytes.fromhex(known)))
    width = arguments.one("width")
    if width not in ("16", "32") or not nodes:
        raise ProtocolError("get-nodes takes a width of 16 or 32 and nodes")
    event = GetNodes(arguments.log(), arguments.root(), int(width), tuple(nodes), arguments.view())
    arguments.finish()
    return event


def _unused(_: _Arguments) -> Event:
    raise AssertionError


_SINGLES: dict[str, Callable[[str], Event]] = {
    "ref": _single_ref,
    "error": _single_error,
    "refused": _single_refused,
    "ack": _single_acknowledged,
}

_GROUPS: dict[str, tuple[Mark, Callable[[_Arguments], Event]]] = {
    "msglog": (Mark.FLUSH, _parse_greeting),
    "ls-refs": (Mark.FLUSH, _parse_ls_refs),
    "fetch": (Mark.FLUSH, _parse_fetch),
    "push": (Mark.FLUSH, _parse_push),
    "base": (Mark.FLUSH, _parse_base),
    "no-base": (Mark.FLUSH, _parse_no_base),
    "transfer": (Mark.DELIMITER, _parse_transfer),
    "batch": (Mark.DELIMITER, _unused),
    "done": (Mark.FLUSH, _parse_done),
    "get-nodes": (Mark.FLUSH, _parse_get_nodes),
}

assert KEY_NIBBLES == 80
