"""Configuration: TOML files of the user and of a repository, the repository's winning.

A repository may have been copied from anywhere, so what names a command to run is obeyed in the
user's own file alone. Keys are dotted: the last part is the name, the rest the table.
"""

from __future__ import annotations

import os
import stat

from msglog import duration
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError, UsageError
from msglog.message import AUTHOR_BYTES_LIMIT, TAG_BYTES_LIMIT
from msglog.plain_toml import read_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from typing import Any

CONFIG_BYTES_LIMIT = 1 << 20
"""A larger file is not a configuration and is refused."""


class ConfigError(LocalError):
    """A configuration file cannot be read, written or understood."""


class ConfigKeyError(UsageError):
    """A key or a value cannot be set."""


class UnknownRemoteError(ConfigKeyError):
    """A remote was named that is not set up; known: those that are.

    make: whether it would help to add it.
    """

    def __init__(self, name: str, known: Iterable[str] = (), *, make: bool = True) -> None:
        from msglog.guess import advice  # noqa: PLC0415 - only where something was mistyped
        from msglog.refname import is_remote_name  # noqa: PLC0415 - as above

        make = make and is_remote_name(name)
        add = f"add it with `msglog remote add {name} URL`" if make else ""
        hint = advice(name, known, make=add, see="See `msglog remote` for those that there are.")
        super().__init__(f"there is no remote {name!r}", hint=hint)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that msglog knows.

    choices: the texts that it may be; empty for any. start: what other texts may begin with.
    runs: its value is a command to be run. values: a regular expression of the texts that it may
    be, meaning: the same for people; empty for any. largest: how many bytes it may have; 0 for any.
    many: it is a list of such texts; one alone counts as a list of one.
    """

    choices: tuple[str, ...] = ()
    start: str = ""
    runs: bool = False
    values: str = ""
    meaning: str = ""
    largest: int = 0
    many: bool = False

    def why_not(self, text: str) -> str:
        """Return why the key cannot have a value, or ""."""
        if self.choices and text not in self.choices:
            if not self.start:
                return f"it must be {', '.join(self.choices)}"
            if not text.startswith(self.start):
                return f"it must be {', '.join(self.choices)} or begin with {self.start}"
        if self.largest and not 0 < len(text.encode("utf-8", "surrogatepass")) <= self.largest:
            return f"it must be of 1 to {self.largest} bytes"
        if self.values:
            import re  # noqa: PLC0415 - few keys need it, and commands start without

            if re.fullmatch(self.values, text, re.ASCII) is None:
                return f"it must be {self.meaning}"
        return ""


DATE_STYLES = ("local", "written", "human", "relative", "iso", "rfc3339", "short", "unix")
"""How times may be shown to people; `porcelain.dates` does it."""

DATE_FORMAT = "format:"
"""What stands before a way to show times of one's own."""

GRACE = "gc.grace"
"""How long gc keeps what is not used any more."""

KNOWN: Mapping[str, KnownKey] = {
    "user.author": KnownKey(largest=AUTHOR_BYTES_LIMIT),
    "add.tags": KnownKey(largest=TAG_BYTES_LIMIT, many=True),
    "list.date": KnownKey(choices=DATE_STYLES, start=DATE_FORMAT),
    "core.editor": KnownKey(runs=True),
    "core.pager": KnownKey(runs=True),
    "ssh.command": KnownKey(runs=True),
    "ssh.transport": KnownKey(choices=("auto", "paramiko", "openssh")),
    GRACE: KnownKey(values=duration.VALUES, meaning=duration.MEANING),
}
_PART = "[a-z0-9*][a-z0-9*._-]*"
REMOTE_KEYS: Mapping[str, KnownKey] = {
    "url": KnownKey(),
    "repository": KnownKey(values="[0-9a-f]{32}", meaning="an id of 32 hexadecimal digits"),
    "since": KnownKey(
        values=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)",
        meaning="a time like 2026-01-31T00:00:00Z",
    ),
    "logs": KnownKey(
        values=rf"{_PART}(/{_PART}){{0,3}}",
        meaning="names of logs, in which * stands for any characters",
        many=True,
    ),
}
FREE_TABLE = "tool"
"""`tool.NAME.KEY` is for programs that build on msglog; it is not looked into."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote: its URL, and the id (hex) of the repository that was last met there, or "".

    since: the RFC 3339 time from which on its logs are taken, or "" for all of them. logs: patterns
    of the logs that are shared with it, or none for all.
    """

    name: str
    url: str
    repository: str
    since: str = ""
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One file: its values by dotted key. trusted: it is the user's own."""

    path: str
    values: Mapping[str, object]
    trusted: bool


@dataclass(frozen=True, slots=True)
class Config:
    """The files that count, the most particular first."""

    layers: tuple[Layer, ...] = ()

    def text(self, key: str) -> str | None:
        """Return the text of a known key; raises ConfigError if it is something else."""
        known = known_key(key)
        for layer in self.layers:
            if key not in layer.values or (known is not None and known.runs and not layer.trusted):
                continue
            value = layer.values[key]
            if not isinstance(value, str):
                raise _wrong(layer.path, key, "it must be a text")
            if known is not None and (why := known.why_not(value)):
                raise _wrong(layer.path, key, why)
            return value
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a known key that may have many; raises ConfigError as `text` does."""
        known = known_key(key)
        for layer in self.layers:
            if key not in layer.values:
                continue
            value = layer.values[key]
            texts = [value] if isinstance(value, str) else value
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise _wrong(layer.path, key, "it must be a list of texts")
            for text in texts:
                if known is not None and (why := known.why_not(text)):
                    raise _wrong(layer.path, key, why)
            return tuple(texts)
        return ()

    def entries(self) -> Iterator[tuple[str, object, str]]:
        """Yield each key with the value that counts and the file that it is from, by key."""
        for key in sorted({key for layer in self.layers for key in layer.values}):
            known = known_key(key)
            for layer in self.layers:
                if key in layer.values and (layer.trusted or known is None or not known.runs):
                    yield key, layer.values[key], layer.path
                    break

    def remotes(self) -> dict[str, Remote]:
        """Return the remotes by name; what has no URL is none."""
        names = set()
        for layer in self.layers:
            for key in layer.values:
                if is_url(key):
                    names.add(key[len("remote.") : -len(".url")])
        found = {}
        for name in sorted(names):
            url = self.text(f"remote.{name}.url")
            if url is not None:
                repository = self.text(f"remote.{name}.repository") or ""
                since = self.text(f"remote.{name}.since") or ""
                logs = self.texts(f"remote.{name}.logs")
                found[name] = Remote(name, url, repository, since, logs)
        return found


def load(paths: Sequence[tuple[str | PathLike[str], bool]]) -> Config:
    """Read the files (path, whether it is the user's own) that exist, the most particular first."""
    layers = []
    for path, trusted in paths:
        values = read(path)
        if values:
            layers.append(Layer(os.fspath(path), values, trusted))
    return Config(tuple(layers))


def read(file: str | PathLike[str]) -> dict[str, object]:
    """Return the values of a file by dotted key, nothing if there is no file."""
    path = os.fspath(file)
    data = read_bytes(path)
    if data is None:
        return {}
    try:
        text = data.decode()
        plain = read_plain(text)
        if plain is not None:
            return plain
        import tomllib  # noqa: PLC0415 - 6 ms, and only for what is out of the ordinary

        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # an integer may have too many digits, too
        raise ConfigError(
            f"{path} is not TOML", why=syntax_error(error), hint="Correct it in an editor."
        ) from error
    return dict(_flatten(document, ""))


def syntax_error(error: Exception) -> str:
    """Return on one line why a file cannot be parsed."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return f"it is not UTF-8 (at line {line})"
    return str(error) or "it is nested too deep"


def read_bytes(path: str) -> bytes | None:
    """Return the content of a file, None if there is none; raises ConfigError."""
    try:
        # Not blocking: a pipe in its place is to be refused, not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}", why=error.strerror or "") from error
    try:
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"cannot read {path}", why="it is not a file")
            data = file.read(CONFIG_BYTES_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}", why=error.strerror or "") from error
    if len(data) > CONFIG_BYTES_LIMIT:
        raise ConfigError(f"cannot read {path}", why=f"it is over {CONFIG_BYTES_LIMIT} bytes")
    return data


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _wrong(path: str, key: str, why: str) -> ConfigError:
    """Return an error for a value, with the line that it probably stands in."""
    import re  # noqa: PLC0415 - only where something is wrong

    name = re.escape(key.rpartition(".")[2])
    data = read_bytes(path) or b""
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        if re.match(rf"""\s*(?:[\w."'-]+\s*\.\s*)?["']?{name}["']?\s*=""", line):
            return ConfigError(f"{path}, line {number}: {key} cannot be used", why=why)
    return ConfigError(f"{path}: {key} cannot be used", why=why)


def known_key(key: str) -> KnownKey | None:
    """Return what is known of a key."""
    if key.startswith("remote."):
        return REMOTE_KEYS.get(key.rpartition(".")[2])
    return KNOWN.get(key)


def is_url(key: str) -> bool:
    """Tell whether a key is that of a remote's URL."""
    return key.startswith("remote.") and key.endswith(".url")
