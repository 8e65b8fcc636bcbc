"""Changing configuration files: what may be set, and writing it without losing anything."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.config import (
    FREE_TABLE,
    KNOWN,
    ConfigError,
    ConfigKeyError,
    known_key,
    read,
    read_bytes,
    syntax_error,
)
from msglog.refname import check_remote_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from typing import Any, TypeAlias

    from msglog.config import KnownKey

Setting: TypeAlias = "str | int | float | bool | list[str]"
"""The value of a key."""

_BARE = r"[A-Za-z0-9_-]{1,64}"
_INTEGER = r"[+-]?(?:0|[1-9][0-9]{0,17})"
_FLOAT = r"[+-]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}"


class ConfigBusyError(ConfigError):
    """Another process held a configuration file for too long."""

    temporary = True


def split_key(key: str) -> tuple[str, ...]:
    """Return the tables and the name that a dotted key means; raises ConfigKeyError.

    The name of a remote may itself have dots: `remote.my.host.url` is `url` of `my.host`.
    """
    section, _, rest = key.partition(".")
    middle, dot, name = rest.rpartition(".")
    parts = plain = tuple(key.split("."))
    if section == "remote" and dot:
        parts, plain = (section, check_remote_name(middle), name), (section, name)
    if len(parts) < 2 or not all(re.fullmatch(_BARE, part, re.ASCII) for part in plain):
        raise ConfigKeyError(f"{key[:80]!r} is not a key", hint="A key is like user.author.")
    return parts


def check_setting(key: str, text: str, *, trusted: bool) -> Setting:
    """Return the value that a text is for a key; raises ConfigKeyError for what cannot be set.

    trusted: it is for the user's own file. The texts of a key that may have many stand between
    blanks or commas.
    """
    parts = split_key(key)
    if parts[0] == FREE_TABLE and len(parts) > 2:
        return _guess(text)
    known = known_key(key)
    if known is None:
        raise ConfigKeyError(
            f"unknown key {key[:80]!r}",
            hint=suggestion(key) or f"Known are {', '.join(KNOWN)}.",
        )
    if known.runs and not trusted:
        raise ConfigKeyError(
            f"{key} cannot be set for a repository",
            why="it names a command, and repositories are copied",
            hint=f"Use `msglog config --global set {key} ...`.",
        )
    if known.many and (texts := text.replace(",", " ").split()):
        return [_check_text(key, known, one) for one in texts]
    return _check_text(key, known, text)


def suggestion(key: str, present: Iterable[str] = ()) -> str:
    """Return a hint at the key that was probably meant by one that is unknown, or "".

    present: keys that are set, whether known or not.
    """
    if known_key(key) is not None or key.startswith(f"{FREE_TABLE}."):
        return ""
    from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

    return question(key, [*present, *KNOWN, "remote.NAME.url"], likeness=0.5)


def _check_text(key: str, known: KnownKey, text: str) -> str:
    if why := known.why_not(text):
        raise ConfigKeyError(f"{text[:80]!r} cannot be {key}", why=why)
    if not _is_text(text):
        raise ConfigKeyError(f"{text[:80]!r} cannot be {key}", why="it is not UTF-8")
    if not text or not text.isprintable():
        raise ConfigKeyError(
            f"{text[:80]!r} cannot be {key}", why="it is empty or has control characters"
        )
    if known.runs:
        _check_command(key, text)
    return text


def _check_command(key: str, text: str) -> None:
    import shlex  # noqa: PLC0415 - few settings are commands

    try:
        words = shlex.split(text)
    except ValueError as error:
        why = str(error).lower()
        raise ConfigKeyError(f"{text[:80]!r} cannot be {key}", why=why) from error
    if not words:
        raise ConfigKeyError(f"{text[:80]!r} cannot be {key}", why="it is empty")


def _guess(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(_INTEGER, text, re.ASCII):
        return int(text)
    if re.fullmatch(_FLOAT, text, re.ASCII):
        return float(text)
    return text


def change(file: str | PathLike[str], values: Mapping[str, Setting | None]) -> None:
    """Set keys of a file, or remove those that are None, all at once; comments are kept.

    The file is replaced whole or not at all; concurrent changes wait for each other, and raise
    ConfigBusyError after LOCK_SECONDS of `msglog.folder`.
    """
    import tomlkit  # noqa: PLC0415 - costs 28 ms, and only changes need it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - as above

    from msglog.folder import Locked, make  # noqa: PLC0415 - only changes need it

    path = Path(file)
    make(path.parent, mode=0o700)
    with _waiting(path), Locked(path.parent) as sure:
        # Where there are no locks, another writer may be at work; the replacement is atomic.
        if sure:
            _remove_unfinished(path)
        read(path)  # whose errors name the line; those of tomlkit often the wrong one
        data = read_bytes(str(path)) or b""
        try:
            document = tomlkit.parse(data.decode())
            for key, value in values.items():
                if value is None:
                    _remove(document, key)
                else:
                    _put(document, split_key(key), value)
            text = tomlkit.dumps(document)
        except (ValueError, TOMLKitError, RecursionError) as error:
            raise ConfigError(f"{path} is not TOML", why=syntax_error(error)) from error
        _replace(path, _encoded(text, values))


def _encoded(text: str, values: Mapping[str, Setting | None]) -> bytes:
    """Return the bytes of a file; raises ConfigKeyError for what TOML cannot keep."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        key = next(key for key, value in values.items() if not _is_text(str(value)))
        raise ConfigKeyError(
            f"{str(values[key])[:80]!r} cannot be {key}", why="it is not UTF-8"
        ) from None


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


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
def _waiting(path: Path) -> Iterator[None]:
    """Raise ConfigBusyError when another one holds the folder for too long."""
    try:
        yield
    except TimeoutError as error:
        raise ConfigBusyError(
            f"cannot write {path}", why=error.strerror or "", hint="Try again in a moment."
        ) from error


def _remove_unfinished(path: Path) -> None:
    """Remove what writers have left that were killed."""
    left = re.compile(re.escape(f".{path.name}.") + r"[0-9]+", re.ASCII)
    for name in os.listdir(path.parent):
        if left.fullmatch(name):
            path.with_name(name).unlink()


def _replace(path: Path, data: bytes) -> None:
    from msglog.folder import sync  # noqa: PLC0415 - as in change

    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):  # the next change removes it
            unfinished.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {path}", why=error.strerror or "") from error
