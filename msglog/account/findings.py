"""What is wrong with an account's authorized_keys: checks over what sshd would read there."""

from __future__ import annotations

from functools import lru_cache

from msglog.account.authorized_keys import Entry, Unreadable, parse_authorized_keys
from msglog.account.finding import Finding, Severity
from msglog.account.forced_command import parse_command
from msglog.account.managed_block import DamagedBlockError, find_block
from msglog.account.place import check_place
from msglog.account.publickey import PublicKeyError, PublicKeyRefusedError, check_blob
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from msglog.account.forced_command import ForcedCommand, Program, WrittenCommand
    from msglog.account.managed_block import Block
    from msglog.account.place import Place

_SYNC = "Run `msglog admin key sync`."
_REMOVE = "Remove the line, or give the key to a user with `msglog admin key add`."


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that the checks look at.

    path: of authorized_keys. data: what is in it. expected: the forced command that each key of
    the account should have, by fingerprint. account: the account's folder. default_account: where
    commands without `--account` look. owner: who the account's files must belong to, unless root.
    places: what must not be writable by others. missing: programs named in the file that cannot
    be run. unstartable: why the program of the expected commands does not start, or "".
    strict: sshd refuses keys in files and folders that others may write to.
    """

    path: str
    data: bytes
    expected: Mapping[str, ForcedCommand]
    account: str
    default_account: str
    owner: int
    places: tuple[Place, ...] = ()
    missing: frozenset[str] = frozenset()
    unstartable: str = ""
    strict: bool = True

    def lines(self) -> tuple[Entry | Unreadable, ...]:
        """Return what sshd sees in the file."""
        return _lines(self.data)

    def entries(self) -> tuple[tuple[Entry, WrittenCommand | None], ...]:
        """Return the lines that let somebody in, each with the `receive-pack` that it starts."""
        return _entries(self.data)

    def is_ours(self, command: WrittenCommand) -> bool:
        """Tell whether a command opens this account."""
        return (command.account or self.default_account) == self.account

    def block(self) -> Block | None:
        """Return where the managed block is; None also where it is damaged."""
        return _block(self.data, self.account)


Check: TypeAlias = "Callable[[Inspection], Iterator[Finding]]"


def check_lines(inspection: Inspection) -> list[Finding]:
    """Return what all checks find, by line."""
    return _run(CHECKS, inspection)


def check_other_lines(inspection: Inspection) -> list[Finding]:
    """Return what is wrong in a file that sshd reads too, and msglog does not write, by line."""
    return _run(OTHER_CHECKS, inspection)


def _run(checks: Sequence[Check], inspection: Inspection) -> list[Finding]:
    found = [finding for check in checks for finding in check(inspection)]
    return sorted(found, key=lambda finding: (finding.line or 0, finding.where))


def named_programs(data: bytes) -> set[str]:
    """Return the programs that the `receive-pack` lines of a file start: absolute paths."""
    commands = [command for _, command in _entries(data) if command is not None]
    return {word for command in commands for word in command.before if word.startswith("/")}


@lru_cache(maxsize=1)
def _lines(data: bytes) -> tuple[Entry | Unreadable, ...]:
    return tuple(parse_authorized_keys(data))


@lru_cache(maxsize=1)
def _entries(data: bytes) -> tuple[tuple[Entry, WrittenCommand | None], ...]:
    found = [line for line in _lines(data) if isinstance(line, Entry)]
    return tuple([(entry, _command(entry)) for entry in found])


@lru_cache(maxsize=1)
def _block(data: bytes, account: str) -> Block | None:
    try:
        return find_block(data, account)
    except DamagedBlockError:
        return None


def _command(entry: Entry) -> WrittenCommand | None:
    return None if entry.options.command is None else parse_command(entry.options.command)


def _words(program: Program) -> tuple[str, ...]:
    return program.interpreter, "-I", program.script


def _check_readable(inspection: Inspection) -> Iterator[Finding]:
    for line in inspection.lines():
        if isinstance(line, Unreadable):
            yield Finding(
                Severity.WARNING,
                "unreadable",
                inspection.path,
                line.number,
                f"sshd skips this line: {line.why}",
                "Repair or remove it.",
            )
        elif line.has_nul:
            yield Finding(
                Severity.WARNING,
                "nul",
                inspection.path,
                line.number,
                "a NUL hides the rest of this line from sshd",
                "Remove the line and write it anew.",
            )


def _check_block(inspection: Inspection) -> Iterator[Finding]:
    try:
        block = find_block(inspection.data, inspection.account)
    except DamagedBlockError as error:
        yield Finding(Severity.ERROR, "block", inspection.path, error.line, error.why, error.hint)
        return
    for entry, command in inspection.entries():
        inside = block is not None and block.holds(entry.number)
        if command is None and inside:
            yield Finding(
                Severity.WARNING,
                "inside-block",
                inspection.path,
                entry.number,
                "a line in the block that msglog writes is not msglog's",
                f"Move it out of the block. {_SYNC}",
            )
        elif command is not None and inside and entry.options.limits:
            yield Finding(
                Severity.WARNING,
                "edited",
                inspection.path,
                entry.number,
                f"{', '.join(entry.options.limits)} on this line is not msglog's, which drops it"
                " when it writes the line anew",
                "Put such limits into a Match block of sshd_config.",
            )
        elif command is not None and not inside and inspection.is_ours(command):
            yield Finding(
                Severity.WARNING,
                "outside-block",
                inspection.path,
                entry.number,
                f"this line for {command.user} is not in the block that msglog writes,"
                " so that removing the user or the key leaves it",
                f"Remove it. {_SYNC}",
            )


def _check_restrictions(inspection: Inspection) -> Iterator[Finding]:
    for entry, _ in inspection.entries():
        options = entry.options
        key = f"the key {entry.fingerprint}"
        if options.cert_authority:
            yield _error(
                inspection,
                entry,
                "certificates",
                "whoever has a certificate signed by this key gets in",
                "Remove the line: msglog tells users apart by their keys.",
            )
        if options.command is None:
            yield _error(inspection, entry, "shell", f"{key} gets a shell", _REMOVE)
        forwarding = {
            "ports": options.port_forwarding,
            "an agent": options.agent_forwarding,
            "X11": options.x11_forwarding,
            "a tunnel": options.tunnel is not None,
        }
        allowed = [name for name, is_allowed in forwarding.items() if is_allowed]
        if allowed:
            yield _error(
                inspection,
                entry,
                "forwarding",
                f"{key} may forward {', '.join(allowed)}",
                "Put `restrict` in front of the other options, and none that undo it after it.",
            )
        if options.pty or options.user_rc:
            others = [("a terminal", options.pty), ("~/.ssh/rc", options.user_rc)]
            names = " and ".join(name for name, is_allowed in others if is_allowed)
            yield _error(inspection, entry, "terminal", f"{key} gets {names}", "Add `restrict`.")
        if not options.restrict:
            yield _error(
                inspection,
                entry,
                "unrestricted",
                "the line lacks `restrict`: it gives whatever later versions of sshd add",
                "Add `restrict`.",
            )
        if options.environment:
            yield _error(
                inspection,
                entry,
                "environment",
                "the line sets environment variables, which sshd may be configured to obey",
                "Remove `environment`.",
            )


def _check_commands(inspection: Inspection) -> Iterator[Finding]:
    for entry, command in inspection.entries():
        if command is None:
            if entry.options.command is not None:
                yield Finding(
                    Severity.WARNING,
                    "other-command",
                    inspection.path,
                    entry.number,
                    f"the key {entry.fingerprint} runs something that is not msglog:"
                    f" {entry.options.command[:80]!r}",
                    "Make sure that it gives no way to the account's files, or remove it.",
                )
            continue
        if command.fingerprint != entry.fingerprint:
            yield _error(
                inspection,
                entry,
                "wrong-key",
                f"the command says {command.fingerprint or 'no key'},"
                f" and the key on the line is {entry.fingerprint}",
                _anew(inspection, entry),
            )
        if not command.exact:
            yield _error(
                inspection,
                entry,
                "command-form",
                "the command does not start msglog the way msglog writes it:"
                " a real interpreter with -I, the program, receive-pack, user, --key",
                _anew(inspection, entry),
            )
        for program in sorted(inspection.missing.intersection(command.before)):
            yield _error(
                inspection,
                entry,
                "missing-program",
                f"{program} cannot be run, so that {command.user} cannot get in",
                f"Install msglog again. {_anew(inspection, entry)}",
            )


def _check_users(inspection: Inspection) -> Iterator[Finding]:
    for entry, command in inspection.entries():
        if command is None or not inspection.is_ours(command):
            continue
        expected = inspection.expected.get(entry.fingerprint)
        if expected is None:
            yield _error(
                inspection,
                entry,
                "unknown-key",
                f"the key {entry.fingerprint}, let in as {command.user}, is not in the account",
                f"{_anew(inspection, entry)}"
                " Add the key with `msglog admin key add` if it should be there.",
            )
        elif expected.user != command.user:
            yield _error(
                inspection,
                entry,
                "wrong-user",
                f"the line lets the key of {expected.user} in as {command.user}",
                _anew(inspection, entry),
            )
        elif command.exact and command.before != _words(expected.program):
            yield Finding(
                Severity.WARNING,
                "other-program",
                inspection.path,
                entry.number,
                "the line starts another msglog than this one",
                f"{_anew(inspection, entry)}"
                " That is needed after msglog was moved or installed anew.",
            )


def _check_duplicates(inspection: Inspection) -> Iterator[Finding]:
    first: dict[bytes, int] = {}
    for entry, _ in inspection.entries():
        if entry.blob in first:
            yield _error(
                inspection,
                entry,
                "duplicate",
                f"sshd never comes to this line: line {first[entry.blob]} has the same key",
                "Remove the one that is not meant.",
            )
        first.setdefault(entry.blob, entry.number)


def _check_missing(inspection: Inspection) -> Iterator[Finding]:
    present = {entry.fingerprint for entry, command in inspection.entries() if command is not None}
    for fingerprint, expected in inspection.expected.items():
        if fingerprint not in present:
            yield Finding(
                Severity.ERROR,
                "missing-line",
                inspection.path,
                None,
                f"the key {fingerprint} of {expected.user} has no line, so that it opens nothing",
                _SYNC,
            )


def _check_program(inspection: Inspection) -> Iterator[Finding]:
    if inspection.unstartable:
        yield Finding(
            Severity.ERROR,
            "not-starting",
            inspection.path,
            None,
            f"no key opens anything: {inspection.unstartable}",
            "Install msglog into a virtual environment, with pipx or with `uv tool`.",
        )


def _check_strength(inspection: Inspection) -> Iterator[Finding]:
    for entry, _ in inspection.entries():
        try:
            check_blob(entry.type, entry.blob)
        except (PublicKeyRefusedError, PublicKeyError) as error:
            yield Finding(
                Severity.WARNING,
                "weak-key",
                inspection.path,
                entry.number,
                f"{error.what}",
                "Ask its owner for an Ed25519 key.",
            )


def _check_places(inspection: Inspection) -> Iterator[Finding]:
    for place in inspection.places:
        yield from check_place(place, inspection.owner, strict=inspection.strict)


def _anew(inspection: Inspection, entry: Entry) -> str:
    """Say how to have a line of ours written anew: those outside of the block never are."""
    block = inspection.block()
    inside = block is not None and block.holds(entry.number)
    return _SYNC if inside else f"Remove the line. {_SYNC}"


def _error(inspection: Inspection, entry: Entry, code: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, code, inspection.path, entry.number, what, remedy)


CHECKS: tuple[Check, ...] = (
    _check_readable,
    _check_block,
    _check_restrictions,
    _check_commands,
    _check_users,
    _check_duplicates,
    _check_missing,
    _check_program,
    _check_strength,
    _check_places,
)
"""All checks; each looks at the whole file."""

OTHER_CHECKS = tuple(check for check in CHECKS if check not in (_check_missing, _check_program))
"""Those for a file in which no line is missing."""
