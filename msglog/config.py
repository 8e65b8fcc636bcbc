"""Configuration: TOML files of the user and of a repository, the repository's winning.

A repository may have been copied from anywhere, so what names a command to run is obeyed in the
user's own file alone. Keys are dotted: the last part is the name, the rest the table.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

from msglog import duration
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError, UsageError
from msglog.plain_toml import read_plain
from msglog.refname import check_remote_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike
    from typing import Any

CONFIG_BYTES_LIMIT = 1 << 20
"""A larger file is not a configuration and is refused."""

_BARE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}", re.ASCII)


class ConfigError(LocalError):
    """A configuration file cannot be read, written or understood."""


class ConfigKeyError(UsageError):
    """A key or a value cannot be set."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that msglog knows.

    choices: the texts that it may be; empty for any. runs: its value is a command to be run.
    values: a regular expression of the texts that it may be, meaning: the same for people; empty
    for any.
    """

    choices: tuple[str, ...] = ()
    runs: bool = False
    values: str = ""
    meaning: str = ""

    def why_not(self, text: str) -> str:
        """Return why the key cannot have a value, or ""."""
        if self.choices and text not in self.choices:
            return f"it must be {', '.join(self.choices)}"
        if self.values and re.fullmatch(self.values, text, re.ASCII) is None:
            return f"it must be {self.meaning}"
        return ""


GRACE = "gc.grace"
"""How long gc keeps what is not used any more."""

KNOWN: Mapping[str, KnownKey] = {
    "user.author": KnownKey(),
    "core.editor": KnownKey(runs=True),
    "core.pager": KnownKey(runs=True),
    "ssh.command": KnownKey(runs=True),
    "ssh.transport": KnownKey(choices=("auto", "paramiko", "openssh")),
    GRACE: KnownKey(values=duration.VALUES, meaning=duration.MEANING),
}
REMOTE_KEYS: Mapping[str, KnownKey] = {"url": KnownKey(), "repository": KnownKey()}
FREE_TABLE = "tool"
"""`tool.NAME.KEY` is for programs that build on msglog; it is not looked into."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote: its URL, and the id (hex) of the repository that was last met there, or ""."""

    name: str
    url: str
    repository: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One file: its values by dotted key. trusted: it is the user's own."""

    path: Path
    values: Mapping[str, object]
    trusted: bool


@dataclass(frozen=True, slots=True)
class Config:
    """The files that count, the most particular first."""

    layers: tuple[Layer, ...] = ()

    def text(self, key: str) -> str | None:
        """Return the text of a known key; raises ConfigError if it is something else."""
        known = _known(key)
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

    def entries(self) -> Iterator[tuple[str, object, Path]]:
        """Yield each key with the value that counts and the file that it is from, by key."""
        for key in sorted({key for layer in self.layers for key in layer.values}):
            known = _known(key)
            for layer in self.layers:
                if key in layer.values and (layer.trusted or known is None or not known.runs):
                    yield key, layer.values[key], layer.path
                    break

    def remotes(self) -> dict[str, Remote]:
        """Return the remotes by name; what has no URL is none."""
        names = set()
        for layer in self.layers:
            for key in layer.values:
                if key.startswith("remote.") and key.endswith(".url"):
                    names.add(key[len("remote.") : -len(".url")])
        found = {}
        for name in sorted(names):
            url = self.text(f"remote.{name}.url")
            if url is not None:
                repository = self.text(f"remote.{name}.repository")
                found[name] = Remote(name, url, repository or "")
        return found


def load(paths: Sequence[tuple[str | PathLike[str], bool]]) -> Config:
    """Read the files (path, whether it is the user's own) that exist, the most particular first."""
    layers = []
    for path, trusted in paths:
        values = read(path)
        if values:
            layers.append(Layer(Path(path), values, trusted))
    return Config(tuple(layers))


def read(file: str | PathLike[str]) -> dict[str, object]:
    """Return the values of a file by dotted key, nothing if there is no file."""
    path = Path(file)
    data = _read_bytes(path)
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
        raise ConfigError(f"{path} is not TOML", why=_syntax_error(error)) from error
    return dict(_flatten(document, ""))


def _syntax_error(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return f"it is not UTF-8 (at line {line})"
    return str(error) or "it is nested too deep"


def _read_bytes(path: Path) -> bytes | None:
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


def _wrong(path: Path, key: str, why: str) -> ConfigError:
    """Return an error for a value, with the line that it probably stands in."""
    name = re.escape(key.rpartition(".")[2])
    data = _read_bytes(path) or b""
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        if re.match(rf"""\s*(?:[\w."'-]+\s*\.\s*)?["']?{name}["']?\s*=""", line):
            return ConfigError(f"{path}, line {number}: {key} cannot be used", why=why)
    return ConfigError(f"{path}: {key} cannot be used", why=why)


def split_key(key: str) -> tuple[str, ...]:
    """Return the tables and the name that a dotted key means; raises ConfigKeyError.

    The name of a remote may itself have dots: `remote.my.host.url` is `url` of `my.host`.
    """
    section, _, rest = key.partition(".")
    middle, dot, name = rest.rpartition(".")
    parts = plain = tuple(key.split("."))
    if section == "remote" and dot:
        parts, plain = (section, check_remote_name(middle), name), (section, name)
    if len(parts) < 2 or not all(_BARE.fullmatch(part) for part in plain):
        raise ConfigKeyError(f"{key[:80]!r} is not a key", hint="A key is like user.author.")
    return parts


def check_setting(key: str, text: str, *, trusted: bool) -> str | int | float | bool:
    """Return the value that a text is for a key; raises ConfigKeyError for what cannot be set.

    trusted: it is for the user's own file.
    """
    parts = split_key(key)
    if parts[0] == FREE_TABLE and len(parts) > 2:
        return _guess(text)
    known = _known(key)
    if known is None:
        import difflib  # noqa: PLC0415 - only where something was mistyped

        near = difflib.get_close_matches(key, [*KNOWN, "remote.NAME.url"], n=1, cutoff=0.5)
        raise ConfigKeyError(
            f"unknown key {key[:80]!r}",
            hint=f"Did you mean {near[0]}?" if near else f"Known are {', '.join(KNOWN)}.",
        )
    if known.runs and not trusted:
        raise ConfigKeyError(
            f"{key} cannot be set for a repository",
            why="it names a command, and repositories are copied",
            hint=f"Use `msglog config --global set {key} ...`.",
        )
    if why := known.why_not(text):
        raise ConfigKeyError(f"{text[:80]!r} cannot be {key}", why=why)
    if not text or not text.isprintable():
        raise ConfigKeyError(
            f"{text[:80]!r} cannot be {key}", why="it is empty or has control characters"
        )
    return text


def _known(key: str) -> KnownKey | None:
    if key.startswith("remote."):
        return REMOTE_KEYS.get(key.rpartition(".")[2])
    return KNOWN.get(key)


def _guess(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def change(
    file: str | PathLike[str], values: Mapping[str, str | int | float | bool | None]
) -> None:
    """Set keys of a file, or remove those that are None, all at once; comments are kept.

    The file is replaced whole or not at all; concurrent changes wait for each other.
    """
    import tomlkit  # noqa: PLC0415 - costs 28 ms, and only changes need it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - as above

    path = Path(file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path.parent):
        data = _read_bytes(path) or b""
        try:
            document = tomlkit.parse(data.decode())
            for key, value in values.items():
                if value is None:
                    _remove(document, key)
                else:
                    _put(document, split_key(key), value)
            text = tomlkit.dumps(document)
        except (ValueError, TOMLKitError, RecursionError) as error:
            raise ConfigError(f"{path} is not TOML", why=_syntax_error(error)) from error
        _replace(path, text.encode())


def _put(table: Any, parts: Sequence[str], value: object) -> None:  # noqa: ANN401 - tomlkit's tables
    import tomlkit  # noqa: PLC0415 - see change

    for depth, part in enumerate(parts[:-1]):
        below = table.get(part)
        if not isinstance(below, dict):
            if below is not None:
                raise ConfigError(f"{part!r} is a value, not a table")
            below = tomlkit.table(is_super_table=depth < len(parts) - 2)
            table[part] = below
            below = table[part]
        table = below
    table[parts[-1]] = value


def _remove(table: Any, key: str) -> bool:  # noqa: ANN401 - tomlkit's tables
    """Remove a dotted key and the tables that it leaves empty; tell whether it was there."""
    for name in list(table):
        value = table[name]
        if name == key and not isinstance(value, dict):
            del table[name]
            return True
        if (
            isinstance(value, dict)
            and key.startswith(f"{name}.")
            and _remove(value, key[len(name) + 1 :])
        ):
            if not value:
                del table[name]
            return True
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, where its file system has locks; the kernel frees it at any exit."""
    import fcntl  # noqa: PLC0415 - only changes need it

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # NFS may have no locks for folders; the replacement is atomic all the same.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {path}", why=error.strerror or "") from error
