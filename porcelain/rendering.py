"""Messages as people read them: in full, on one line, or by a format of theirs."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.key import SECOND, key_object_id, key_time
from msglog.message import Foreign, Message
from msglog.timestamp import readable, rfc3339
from porcelain.display import block, one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.key import Key

    _Field = Callable[[Key, Message, int], str]
    from collections.abc import Sequence

    from msglog.message import MetaValue
    from msglog.message_scan import Plain
    from porcelain.printing import Piece

_TITLE_WIDTH = 120
_NEWER = "needs a newer msglog"


class FormatError(UsageError):
    """A --format has a placeholder that there is not."""


def full(
    key: Key, message: Message | Foreign, details: Sequence[tuple[str, str]] = ()
) -> list[Piece]:
    """Return the lines of a message in full, as `git log` has them.

    details: further lines of the head, each a word and a text that is safe to show.
    """
    shown: list[Piece] = [("id", f"message {key_object_id(key).hex()}"), "\n"]
    if isinstance(message, Foreign):
        shown += ["Time:   ", ("time", readable(key_time(key), 0)), "\n"]
        body: Piece = ("attention", f"    {_NEWER}: {one_line(message.needs)}")
    else:
        shown += ["Author: ", ("author", one_line(message.author)), "\n"]
        shown += ["Time:   ", ("time", readable(message.time, message.offset)), "\n"]
        if message.tags:
            shown += ["Tags:   ", ("tag", ", ".join(map(one_line, message.tags))), "\n"]
        for name, value in message.meta.items():
            shown.append(f"Meta:   {one_line(name)}={meta_text(value)}\n")
        if message.reply_to is not None:
            shown += ["Reply:  ", ("id", message.reply_to.hex()), "\n"]
        body = "    " + block(message.body).replace("\n", "\n    ")
    shown += [f"{f'{word}:':8}{text}\n" for word, text in details]
    return [*shown, "\n", body]


def line(key: Key, message: Message | Foreign, length: int) -> list[Piece]:
    """Return a message on one line; length: how many digits of its id are shown."""
    shown: list[Piece] = [("id", key_object_id(key).hex()[:length]), " "]
    if isinstance(message, Foreign):
        return [
            *shown,
            ("time", readable(key_time(key), 0)[:-9]),
            " ",
            ("attention", f"{_NEWER}: {one_line(message.needs)}"),
        ]
    shown += [
        ("time", readable(message.time, message.offset)[:-9]),
        " ",
        ("author", one_line(message.author)),
        ": ",
        title(message.body),
    ]
    if message.tags:
        shown += [" ", ("tag", f"({', '.join(map(one_line, message.tags))})")]
    return shown


def title(body: str) -> str:
    """Return the first line of a body that is not empty, cut if it is long."""
    first = body.partition("\n")[0].strip()
    if not first:
        first = next((text for text in body.split("\n") if text.strip()), "").strip()
    return shorten(one_line(first), _TITLE_WIDTH)


def meta_text(value: str | float) -> str:
    """Return a meta value as `--meta` would take it, but for quotes around texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return one_line(value) if isinstance(value, str) else repr(value)


_FIELDS: dict[str, _Field] = {
    "H": lambda key, _message, _length: key_object_id(key).hex(),
    "h": lambda key, _message, length: key_object_id(key).hex()[:length],
    "an": lambda _key, message, _length: one_line(message.author),
    "ad": lambda _key, message, _length: readable(message.time, message.offset),
    "aI": lambda _key, message, _length: rfc3339(message.time, message.offset),
    "at": lambda _key, message, _length: str(message.time // SECOND),
    "s": lambda _key, message, _length: title(message.body),
    "B": lambda _key, message, _length: block(message.body),
    "n": lambda _key, _message, _length: "\n",
    "%": lambda _key, _message, _length: "%",
    "(tags)": lambda _key, message, _length: ",".join(map(one_line, message.tags)),
    "(uuid)": lambda _key, message, _length: message.uuid.hex(),
    "(reply_to)": lambda _key, message, _length: (
        "" if message.reply_to is None else message.reply_to.hex()
    ),
}
_PLACEHOLDER = r"(?s)%(\([a-z_]+(?::[^)]*)?\)|a[a-zA-Z]|x[0-9a-fA-F]{2}|.|$)"
_META = "(meta:"
_NO_META: dict[str, MetaValue] = {}


class Format:
    """A compiled --format: git's placeholders for what messages have."""

    def __init__(self, text: str) -> None:
        self._parts: list[str | _Field] = []
        end = 0
        import re  # noqa: PLC0415 - only with --format

        for match in re.finditer(_PLACEHOLDER, text):
            self._parts += [text[end : match.start()], self._field(match[1])]
            end = match.end()
        self._parts.append(text[end:])

    def _field(self, name: str) -> str | _Field:
        if name.startswith(_META):
            return _meta_field(name[len(_META) : -1])
        if len(name) == 3 and name[0] == "x":
            return chr(int(name[1:], 16))
        if name not in _FIELDS:
            known = " ".join(f"%{known}" for known in _FIELDS)
            raise FormatError(f"unknown placeholder %{name}", hint=f"Known are {known}.")
        return _FIELDS[name]

    def apply(self, key: Key, message: Message | Foreign, length: int) -> str:
        """Return a message in this format; a foreign one as far as it can be told."""
        if isinstance(message, Foreign):
            needs = f"{_NEWER}: {message.needs}"
            message = Message(message.uuid, message.time, 0, "", needs)
        return self._apply(key, message, length)

    def apply_ordinary(self, key: Key, plain: Plain, length: int) -> str:
        """Return an ordinary message in this format."""
        uuid, time, offset, author, body, tags, reply_to = plain
        message = Message(uuid, time, offset, author, body, tags, _NO_META, reply_to, _NO_META)
        return self._apply(key, message, length)

    def _apply(self, key: Key, message: Message, length: int) -> str:
        return "".join(
            [part if isinstance(part, str) else part(key, message, length) for part in self._parts]
        )


def _meta_field(name: str) -> _Field:
    def field(_key: Key, message: Message, _length: int) -> str:
        return meta_text(message.meta[name]) if name in message.meta else ""

    return field
