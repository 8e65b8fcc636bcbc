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
    from porcelain.dates import Date
    from porcelain.printing import Piece

_TITLE_WIDTH = 120
_NEWER = "needs a newer msglog"


class FormatError(UsageError):
    """A --format has a placeholder that there is not."""


def full(
    key: Key,
    message: Message | Foreign,
    details: Sequence[tuple[str, str]] = (),
    *,
    date: Date = readable,
    unique: int | None = None,
) -> list[Piece]:
    """Return the lines of a message in full, as `git log` has them.

    details: further lines of the head, each a word and a text that is safe to show.
    unique: how many digits tell its id from all others, if that is to be seen.
    """
    digits = key_object_id(key).hex()
    shown: list[Piece] = [("id", f"message {digits[:unique]}"), *_rest(digits, unique), "\n"]
    if isinstance(message, Foreign):
        shown += ["Time:   ", ("time", date(key_time(key), 0)), "\n"]
        body: Piece = ("attention", f"    {_NEWER}: {one_line(message.needs)}")
    else:
        shown += ["Author: ", ("author", one_line(message.author)), "\n"]
        shown += ["Time:   ", ("time", date(message.time, message.offset)), "\n"]
        if message.tags:
            shown += ["Tags:   ", ("tag", ", ".join(map(one_line, message.tags))), "\n"]
        for name, value in message.meta.items():
            shown.append(f"Meta:   {one_line(name)}={meta_text(value)}\n")
        if message.reply_to is not None:
            shown += ["Reply:  ", ("id", message.reply_to.hex()), "\n"]
        body = "    " + block(message.body).replace("\n", "\n    ")
    shown += [f"{f'{word}:':8}{text}\n" for word, text in details]
    return [*shown, "\n", body]


def _rest(digits: str, unique: int | None) -> list[Piece]:
    rest = "" if unique is None else digits[unique:]
    return [("dim", rest)] if rest else []


def to_the_minute(time: int, offset: int) -> str:
    """Return a time for one line, without its seconds and its offset."""
    return readable(time, offset)[:-9]


def line(
    key: Key,
    message: Message | Foreign,
    length: int,
    *,
    date: Date = to_the_minute,
    unique: int | None = None,
) -> list[Piece]:
    """Return a message on one line; the arguments are those of `line_head`."""
    shown = line_head(key, message, length, date=date, unique=unique)
    if isinstance(message, Foreign):
        return [*shown, needs_newer(message)]
    shown += [("author", one_line(message.author)), ": ", title(message.body)]
    if message.tags:
        shown += [" ", ("tag", f"({', '.join(map(one_line, message.tags))})")]
    return shown


def line_head(
    key: Key, message: Message | Foreign, length: int, *, date: Date, unique: int | None
) -> list[Piece]:
    """Return the beginning of a line: the id of a message, and when it was.

    length: how many digits of its id are shown, or more where they are needed.
    unique: how many digits tell its id from all others, if that is to be seen.
    """
    digits = key_object_id(key).hex()[: max(length, unique or 0)]
    offset = 0 if isinstance(message, Foreign) else message.offset
    when = date(key_time(key), offset)
    return [("id", digits[:unique]), *_rest(digits, unique), " ", ("time", when), " "]


def needs_newer(message: Foreign) -> Piece:
    """Return what is said in place of a message that this version cannot read."""
    return ("attention", f"{_NEWER}: {one_line(message.needs)}")


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
    "(id)": lambda key, _message, _length: key_object_id(key).hex(),
    "(short)": lambda key, _message, length: key_object_id(key).hex()[:length],
    "(uuid)": lambda _key, message, _length: message.uuid.hex(),
    "(time)": lambda _key, message, _length: rfc3339(message.time, message.offset),
    "(unix)": lambda _key, message, _length: str(message.time // SECOND),
    "(author)": lambda _key, message, _length: one_line(message.author),
    "(title)": lambda _key, message, _length: title(message.body),
    "(body)": lambda _key, message, _length: block(message.body),
    "(tags)": lambda _key, message, _length: ",".join(map(one_line, message.tags)),
    "(meta)": lambda _key, message, _length: " ".join(
        f"{one_line(name)}={meta_text(value)}" for name, value in message.meta.items()
    ),
    "(reply_to)": lambda _key, message, _length: (
        "" if message.reply_to is None else message.reply_to.hex()
    ),
    "n": lambda _key, _message, _length: "\n",
    "%": lambda _key, _message, _length: "%",
}
"""What stands for itself, whatever the user wants of dates."""

_AS_GIT = {
    "H": "(id)",
    "h": "(short)",
    "an": "(author)",
    "ad": "(date)",
    "ar": "(date:relative)",
    "ah": "(date:human)",
    "as": "(date:short)",
    "aI": "(time)",
    "at": "(unix)",
    "s": "(title)",
    "B": "(body)",
}
NAMES = (
    *(name[1:-1] for name in _FIELDS if len(name) > 1),
    "date",
    "date:STYLE",
    "meta:KEY",
    "log",
)
"""The named fields of a format."""

_PLACEHOLDER = r"(?s)%(\([a-z_]+(?::[^)]*)?\)|a[a-zA-Z]|x[0-9a-fA-F]{2}|.|$)"
_META = "(meta:"
_DATE = "(date:"
_NO_META: dict[str, MetaValue] = {}


class Format:
    """A compiled --format: named fields, or git's placeholders, for what messages have.

    date: shows times where no style is said; dates: returns what does in a style. log: the log of
    the messages, or what tells that of the one which is being shown.
    """

    def __init__(
        self,
        text: str,
        *,
        date: Date = readable,
        dates: Callable[[str], Date] = lambda _: readable,
        log: str | Callable[[], str] = "",
    ) -> None:
        self._parts: list[str | _Field] = []
        self._date = date
        self._dates = dates
        self._log = log
        end = 0
        import re  # noqa: PLC0415 - only with --format

        for match in re.finditer(_PLACEHOLDER, text):
            self._parts += [text[end : match.start()], self._field(match[1])]
            end = match.end()
        self._parts.append(text[end:])

    def _field(self, given: str) -> str | _Field:
        name = _AS_GIT.get(given, given)
        if name.startswith(_META):
            return _meta_field(name[len(_META) : -1])
        if name == "(date)":
            return _date_field(self._date)
        if name.startswith(_DATE):
            return _date_field(self._dates(name[len(_DATE) : -1]))
        if name == "(log)":
            return self._log if isinstance(self._log, str) else _log_field(self._log)
        if len(name) == 3 and name[0] == "x":
            return chr(int(name[1:], 16))
        if name not in _FIELDS:
            raise _unknown_field(given)
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


def _log_field(log: Callable[[], str]) -> _Field:
    def field(_key: Key, _message: Message, _length: int) -> str:
        return log()

    return field


def _date_field(date: Date) -> _Field:
    def field(_key: Key, message: Message, _length: int) -> str:
        return date(message.time, message.offset)

    return field


def _unknown_field(name: str) -> FormatError:
    if len(name) > 1:
        from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

        known = f"Known are {', '.join(NAMES)}."
        hint = question(name.strip("()"), NAMES, shape="%({})") or known
        return FormatError(f"there is no field %{name[:80]}", hint=hint)
    known = " ".join(f"%{known}" for known in (*_AS_GIT, "n", "%", "xHH", "(NAME)"))
    return FormatError(f"there is no placeholder %{name}", hint=f"Known are {known}.")
