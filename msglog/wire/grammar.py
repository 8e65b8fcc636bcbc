"""The texts of packets to events: what each may say, and what is refused; see docs/protocol.md."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import RemoteError
from msglog.key import FIRST_KEY, KEY_NIBBLES, Key
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.refname import LOG_PREFIX, is_log_name
from msglog.wire import batch
from msglog.wire.events import (
    HAVE_LIMIT,
    LINES_LIMIT,
    PATH_LIMIT,
    PATTERNS_LIMIT,
    SAID,
    TEXT_BYTES_LIMIT,
    WORDS_LIMIT,
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Concluded,
    Done,
    Fetch,
    GetNodes,
    Gone,
    Greeting,
    ListRefs,
    PeerError,
    Printed,
    Push,
    Refused,
    Transfer,
    Watch,
)
from msglog.wire.pktline import (
    Mark,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.index.change import Path
    from msglog.wire.events import (
        Event,
    )

_HEX_DIGITS = "0123456789abcdef"
_DECIMAL_DIGITS = "0123456789"
_CODE_CHARACTERS = "abcdefghijklmnopqrstuvwxyz-"
_WORD_BYTES_LIMIT = 128
_AGENT_FIELDS = ("agent", "repository", "user", "role")


class ProtocolError(RemoteError):
    """The peer sent packets that the protocol does not allow."""

    def __init__(self, why: str) -> None:
        super().__init__("the peer breaks the msglog protocol", why=why)


def _is_hex(text: str, digits: int) -> bool:
    """Tell whether text is so many lower-case hex digits; no regular expression, to start soon."""
    return len(text) == digits and not text.strip(_HEX_DIGITS)


def _is_number(text: str, digits: int) -> bool:
    """Tell whether text is a number of at most so many digits, without leading zeros."""
    return (
        0 < len(text) <= digits
        and not text.strip(_DECIMAL_DIGITS)
        and (text[0] != "0" or len(text) == 1)
    )


def _is_code(text: str) -> bool:
    """Tell whether text is the code of an error: up to 32 of a-z and '-', a letter first."""
    return 0 < len(text) <= 32 and text[0] != "-" and not text.strip(_CODE_CHARACTERS)


def _is_word(text: str) -> bool:
    """Tell whether text is 1 to 128 characters of printable ASCII without blanks."""
    return (
        0 < len(text) <= _WORD_BYTES_LIMIT
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def parse_path(text: str) -> Path:
    """Return the path that hex digits spell; raises ProtocolError."""
    if len(text) > KEY_NIBBLES or text.strip(_HEX_DIGITS):
        raise ProtocolError("a path is not 0 to 80 hex digits")
    return len(text), bytes.fromhex(text + "0" * (len(text) & 1))


class Arguments:
    """The `name=value` packets of a request or an answer, each to be taken once."""

    def __init__(self, texts: list[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals:
                raise ProtocolError(f"{text[:40]!r} is not an argument")
            self._values.setdefault(name, []).append(value)

    def one(self, name: str) -> str:
        """Return the one value of an argument."""
        values = self._values.pop(name, [])
        if len(values) != 1:
            raise ProtocolError(f"{name} is given {len(values)} times, not once")
        return values[0]

    def optional(self, name: str) -> str | None:
        """Return the one value of an argument, or None if it is not given."""
        return self.one(name) if name in self._values else None

    def many(self, name: str, limit: int) -> list[str]:
        """Return all values of an argument, at most limit."""
        values = self._values.pop(name, [])
        if len(values) > limit:
            raise ProtocolError(f"{name} is given more than {limit} times")
        return values

    def log(self) -> str:
        """Return the name of the log that is meant."""
        name = self.one("log")
        if not is_log_name(name):
            raise ProtocolError("log is not the name of a log")
        return name

    def view(self) -> Key:
        """Return the first key of the view that is meant."""
        text = self.optional("view")
        return FIRST_KEY if text is None else _parse_key(text)

    def root(self, name: str = "root") -> ObjectId:
        """Return a root."""
        return _parse_root(self.one(name))

    def optional_root(self, name: str = "root") -> ObjectId | None:
        """Return a root, or None if it is not given."""
        text = self.optional(name)
        return None if text is None else _parse_root(text)

    def count(self, name: str = "count") -> int | None:
        """Return a number, or None if it is not given."""
        text = self.optional(name)
        return None if text is None else _parse_number(text)

    def paths(self, name: str) -> tuple[Path, ...]:
        """Return paths."""
        return tuple([parse_path(text) for text in self.many(name, PATH_LIMIT)])

    def have(self) -> tuple[ObjectId, ...]:
        """Return the roots that are offered as base."""
        return tuple([_parse_root(text) for text in self.many("have", HAVE_LIMIT)])

    def finish(self) -> None:
        """Raise ProtocolError if there are arguments that nobody asked for."""
        if self._values:
            raise ProtocolError(f"{next(iter(self._values))[:40]!r} is not an argument here")

    def forget(self) -> None:
        """Leave what a later version may say; but nothing may be said twice."""
        for name in list(self._values):
            self.one(name)


def _parse_root(text: str) -> ObjectId:
    if not _is_hex(text, 2 * DIGEST_BYTES):
        raise ProtocolError("a root is not 64 hex digits")
    return ObjectId(bytes.fromhex(text))


def _parse_key(text: str) -> Key:
    if not _is_hex(text, KEY_NIBBLES):
        raise ProtocolError("a key is not 80 hex digits")
    return Key(bytes.fromhex(text))


def _parse_number(text: str) -> int:
    if not _is_number(text, 18):
        raise ProtocolError("a number is not in decimal form")
    return int(text)


def _fields(text: str, count: int) -> list[str]:
    fields = text.split(" ", count - 1)
    if len(fields) != count:
        raise ProtocolError("a packet has too few fields")
    return fields


def _parse_ref_name(name: str) -> str:
    """Return the log that a ref is of."""
    log = name.removeprefix(LOG_PREFIX)
    if log == name or not is_log_name(log):
        raise ProtocolError("a ref is not the name of a log")
    return log


def _single_ref(rest: str) -> AdvertisedRef:
    root, count, name = _fields(rest, 3)
    return AdvertisedRef(_parse_ref_name(name), _parse_root(root), _parse_number(count))


def _single_gone(rest: str) -> Gone:
    return Gone(_parse_ref_name(rest))


def parse_error(rest: str) -> PeerError:
    """Return the error that a packet reports."""
    code, text = _fields(rest, 2)
    if not _is_code(code) or len(text.encode()) > TEXT_BYTES_LIMIT:
        raise ProtocolError("an error is not in its form")
    return PeerError(code, text)


def _single_refused(rest: str) -> Refused:
    key, code, why = _fields(rest, 3)
    if not _is_code(code) or len(why.encode()) > TEXT_BYTES_LIMIT:
        raise ProtocolError("a refusal is not in its form")
    return Refused(_parse_key(key), code, why)


def _single_acknowledged(rest: str) -> Acknowledged:
    number, space, root = rest.partition(" ")
    return Acknowledged(_parse_number(number), _parse_root(root) if space else SAID)


def batch_sizes(rest: str) -> tuple[int, int]:
    """Return how many messages and bytes the head of a batch declares."""
    _, messages, size, _ = _fields(rest, 4)
    return _parse_number(messages), _parse_number(size)


def parse_batch(rest: str, data: bytes) -> Batch:
    """Return a batch from its head and the data that came with it."""
    number, messages, size, tail = _fields(rest, 4)
    form, space, root = tail.partition(" ")
    content = batch.expand(form, data, _parse_number(size))
    checkpoint = _parse_root(root) if space else SAID
    return Batch(_parse_number(number), _parse_number(messages), checkpoint, content)


def _parse_greeting(arguments: Arguments) -> Greeting:
    if arguments.one("object-format") != "sha256":
        raise ProtocolError("the object format is not sha256")
    agent, repository, user, role = (arguments.one(name) for name in _AGENT_FIELDS)
    if not all(map(_is_word, (agent, user, role))):
        raise ProtocolError("the greeting is not in its form")
    if not _is_hex(repository, 32):
        raise ProtocolError("the repository id is not 32 hex digits")
    early, watch = arguments.count("early"), arguments.count("watch")
    arguments.forget()
    return Greeting(agent, bytes.fromhex(repository), user, role, early, watch)


def _parse_ls_refs(arguments: Arguments) -> ListRefs:
    arguments.finish()
    return ListRefs()


def _parse_fetch(arguments: Arguments) -> Fetch:
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


def _parse_push(arguments: Arguments) -> Push:
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


def _parse_base(arguments: Arguments) -> Base:
    event = Base(
        arguments.log(), arguments.root("base"), arguments.optional_root(), arguments.count()
    )
    arguments.finish()
    return event


def _parse_no_base(arguments: Arguments) -> Base:
    event = Base(arguments.log(), None, arguments.optional_root(), arguments.count())
    arguments.finish()
    return event


def _parse_transfer(arguments: Arguments) -> Transfer:
    event = Transfer(
        log=arguments.log(),
        view=arguments.view(),
        base=arguments.optional_root("base") or SAID,
        root=arguments.root(),
        count=arguments.count(),
    )
    arguments.finish()
    return event


def _parse_done(arguments: Arguments) -> Done:
    event = Done(arguments.log(), arguments.optional_root(), arguments.count())
    arguments.finish()
    return event


def _parse_get_nodes(arguments: Arguments) -> GetNodes:
    nodes: list[tuple[Path, bytes]] = []
    for text in arguments.many("node", PATH_LIMIT):
        path, _, known = text.partition(":")
        if known and not _is_hex(known, 128):
            raise ProtocolError("what is known of a node is not 0 or 128 hex digits")
        nodes.append((parse_path(path), bytes.fromhex(known)))
    width = arguments.one("width")
    if width not in ("16", "32") or not nodes:
        raise ProtocolError("get-nodes takes a width of 16 or 32 and nodes")
    event = GetNodes(arguments.log(), arguments.root(), int(width), tuple(nodes), arguments.view())
    arguments.finish()
    return event


def _single_out(rest: str) -> Printed:
    return Printed(rest)


def _single_note(rest: str) -> Printed:
    return Printed(rest, noted=True)


def _single_status(rest: str) -> Concluded:
    number, error = _fields(rest, 2)
    if not _is_number(number, 3) or len(error.encode()) > TEXT_BYTES_LIMIT:
        raise ProtocolError("a status is not in its form")
    return Concluded(int(number), "" if error == "-" else error)


def _parse_admin(arguments: Arguments) -> Administer:
    words = tuple(arguments.many("word", WORDS_LIMIT))
    event = Administer(words, tuple(arguments.many("input", LINES_LIMIT)))
    arguments.finish()
    if not words:
        raise ProtocolError("admin takes words")
    return event


def _parse_watch(arguments: Arguments) -> Watch:
    event = Watch(tuple(arguments.many("pattern", PATTERNS_LIMIT)))
    arguments.finish()
    if not all(is_log_name(pattern.replace("*", "a")) for pattern in event.patterns):
        raise ProtocolError("a pattern is not the name of a log with wildcards")
    return event


def _unused(_: Arguments) -> Event:
    raise AssertionError


SINGLES: dict[str, Callable[[str], Event]] = {
    "ref": _single_ref,
    "error": parse_error,
    "refused": _single_refused,
    "ack": _single_acknowledged,
    "out": _single_out,
    "note": _single_note,
    "status": _single_status,
    "gone": _single_gone,
}

GROUPS: dict[str, tuple[Mark, Callable[[Arguments], Event]]] = {
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
    "admin": (Mark.FLUSH, _parse_admin),
    "watch": (Mark.FLUSH, _parse_watch),
}
