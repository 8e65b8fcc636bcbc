"""The block of authorized_keys that msglog writes; all else in the file is kept byte for byte."""

from __future__ import annotations

import re
from itertools import takewhile

from msglog.account.authorized_keys import Entry, parse_line, parse_options
from msglog.account.forced_command import parse_command, quote_path
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace
from msglog.errors import LocalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from msglog.account.forced_command import ForcedCommand, WrittenCommand
    from msglog.account.publickey import PublicKey

_BEGIN = "# BEGIN msglog "
_END = "# END msglog "
_NOTICE = " (written by `msglog admin`; changes in here are lost)"


Stray: TypeAlias = "Callable[[WrittenCommand], bool]"
"""Tells whether a command belongs into the block, wherever its line is."""

_PRINCIPAL = re.compile(r"[A-Za-z0-9._:@/+=-]{1,256}", re.ASCII)


class InvalidPrincipalError(UsageError):
    """A principal has characters that sshd would take for something else."""


class DamagedBlockError(LocalError):
    """The lines that mark the managed block are not one pair in order."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(
            f"authorized_keys is not as msglog left it at line {line}",
            why=why,
            hint="Run `msglog admin key check --fix`, or repair or remove the lines"
            " `# BEGIN msglog` and `# END msglog`.",
        )
        self.line = line


@dataclass(frozen=True, slots=True)
class Block:
    """Where the managed block of one account lies: the numbers of its marking lines, from 1."""

    first: int
    last: int

    def holds(self, line: int) -> bool:
        """Tell whether a line is in the block, markers not counted."""
        return self.first < line < self.last


def key_line(command: ForcedCommand, key: PublicKey) -> str:
    """Return the line that lets a key run its forced command and nothing else, without newline.

    Raises UnsafePathError.
    """
    return f"{_options(command)} {key.line}"


def principal_line(command: ForcedCommand, principal: str) -> str:
    """Return the line that lets a certificate for a principal run its forced command alone.

    It is one of AuthorizedPrincipalsFile. Raises InvalidPrincipalError and UnsafePathError.
    """
    if _PRINCIPAL.fullmatch(principal) is None:
        raise InvalidPrincipalError(
            f"{principal[:80]!r} cannot be a principal here",
            why="letters, digits and . _ : @ / + = - only",
        )
    return f"{_options(command)} {principal}"


def _options(command: ForcedCommand) -> str:
    quoted = command.text().replace('"', '\\"')
    return f'restrict,command="{quoted}"'


def find_block(data: bytes, account: str) -> Block | None:
    """Return where the block of an account is; raises DamagedBlockError."""
    first: int | None = None
    found: Block | None = None
    for number, line in enumerate(data.split(b"\n"), start=1):
        stripped = line.rstrip()
        if stripped == _begin(account):
            if first is not None or found is not None:
                raise DamagedBlockError(number, "a second block begins here")
            first = number
        elif stripped == _end(account):
            if first is None:
                raise DamagedBlockError(number, "a block ends here that did not begin")
            found = Block(first, number)
            first = None
    if first is not None:
        raise DamagedBlockError(first, "the block that begins here does not end")
    return found


def replace_block(data: bytes, account: str, lines: Sequence[str]) -> bytes:
    """Return a file with the block of an account holding just these lines.

    account: the folder of the account, which names the block: there may be several accounts. A
    new block is put at the end; without lines there is none. What others wrote inside of the
    block is moved behind it, byte for byte. Raises DamagedBlockError and UnsafePathError.
    """
    quote_path(account)
    made = b""
    if lines:
        texts = [line.encode("utf-8") for line in lines]
        made = b"\n".join([_begin(account), *texts, _end(account), b""])
    block = find_block(data, account)
    if block is None:
        separator = b"\n" if made and data and not data.endswith(b"\n") else b""
        return data + separator + made
    kept = _lines(data)
    inside = kept[block.first : block.last - 1]
    foreign = b"".join(line for line in inside if not _is_ours(line))
    after = b"".join(kept[block.last :])
    if foreign and after and not foreign.endswith(b"\n"):
        foreign += b"\n"
    return b"".join(kept[: block.first - 1]) + made + foreign + after


def restore_block(data: bytes, account: str, lines: Sequence[str], stray: Stray) -> bytes:
    """Return a file as replace_block does, but also where the marking lines are damaged.

    What remains of them is removed, with the lines of ours that begin or end there, and the block
    is put where the first of them was. Lines elsewhere that stray tells of are removed too, but
    only if they are exactly what msglog writes; all others are kept byte for byte. Raises
    UnsafePathError.
    """
    parts = _lines(data)
    try:
        block = find_block(data, account)
    except DamagedBlockError:
        parts, block = _marked_anew(parts, account, stray)
    kept = [
        line
        for number, line in enumerate(parts, start=1)
        if (block is not None and block.holds(number)) or not _is_written(line, stray)
    ]
    return replace_block(b"".join(kept), account, lines)


def _marked_anew(parts: list[bytes], account: str, stray: Stray) -> tuple[list[bytes], Block]:
    """Return lines with one empty block instead of marks that are not one pair in order."""
    begin, end = _begin(account), _end(account)
    dropped: set[int] = set()
    for at, line in enumerate(parts):
        if line.rstrip() == begin:
            run = range(at + 1, len(parts))
        elif line.rstrip() == end:
            run = range(at - 1, -1, -1)
        else:
            continue
        dropped.update([at, *takewhile(lambda number: _opens(parts[number], stray), run)])
    first = min(dropped)
    rest = [line for number, line in enumerate(parts) if number > first and number not in dropped]
    pair = [begin + b"\n", end + b"\n"]
    return [*parts[:first], *pair, *rest], Block(first + 1, first + 2)


def _opens(line: bytes, stray: Stray) -> bool:
    """Tell whether a line runs a command that stray tells of, in whatever form."""
    entry = parse_line(1, line.removesuffix(b"\n"))
    if not isinstance(entry, Entry) or entry.options.command is None:
        return False
    command = parse_command(entry.options.command)
    return command is not None and stray(command)


def _is_written(line: bytes, stray: Stray) -> bool:
    """Tell whether a line is one that msglog wrote, unchanged, and that is strayed."""
    entry = parse_line(1, line.removesuffix(b"\n"))
    if not isinstance(entry, Entry) or entry.has_nul or entry.options.command is None:
        return False
    if replace(entry.options, command=None) != parse_options("restrict"):
        return False
    command = parse_command(entry.options.command)
    if command is None or not command.exact or command.fingerprint != entry.fingerprint:
        return False
    return stray(command)


def _is_ours(line: bytes) -> bool:
    """Tell whether a line in the block is one that is made anew, or empty."""
    if not line.strip():
        return True
    entry = parse_line(1, line.removesuffix(b"\n"))
    if not isinstance(entry, Entry) or entry.options.command is None:
        return False
    return parse_command(entry.options.command) is not None


def _lines(data: bytes) -> list[bytes]:
    """Return the lines with their newlines; only LF ends one, as in sshd."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _begin(account: str) -> bytes:
    return f"{_BEGIN}{account}{_NOTICE}".encode()


def _end(account: str) -> bytes:
    return f"{_END}{account}".encode()
