"""Commands of an administrator that come over a session: who may give them, and running them."""

from __future__ import annotations

from io import BytesIO

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.dataclass import dataclass, replace
from msglog.errors import NotAuthorisedError, UsageError
from msglog.wire.connection import LINE_LIMIT
from msglog.wire.events import Concluded, Printed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from msglog.account.access import Access
    from msglog.account.account import Account
    from msglog.account.audit import Visit
    from msglog.wire.events import Administer
    from plumbing.context import Context

OUTPUT_BYTES_LIMIT = 16 << 20
"""How much a command may print to a session."""

LINE_BYTES_LIMIT = 60_000
"""How long a line that it prints may be."""

Runner: TypeAlias = "Callable[[Sequence[str], Path, Context], tuple[int, str]]"
"""Runs the words of a command on an account; returns its exit status and what its error says."""


class TooMuchOutputError(UsageError):
    """A command printed more than a session carries."""

    def __init__(self) -> None:
        super().__init__("this prints more than a session carries", hint="Ask for less of it.")


@dataclass(frozen=True, slots=True)
class Delegation:
    """For whom a command runs that came over a session, and what they may do."""

    visit: Visit
    access: Access


class Administration(Protocol):
    """Whoever runs the commands of administrators."""

    def run(self, event: Administer) -> Iterator[Printed | Concluded]:
        """Run one command; raises NotAuthorisedError before anything is done."""


class NoAdministration:
    """There is no account here that could be looked after."""

    def run(self, event: Administer) -> Iterator[Printed | Concluded]:  # noqa: ARG002 - refused
        """Raise NotAuthorisedError."""
        raise NotAuthorisedError("not authorised to administer: this is not a server account")


@dataclass(frozen=True, slots=True)
class AccountAdministration:
    """Runs the commands of an account's administrators, for the user of one session."""

    account: Account
    delegation: Delegation
    runner: Runner
    context: Context

    def run(self, event: Administer) -> Iterator[Printed | Concluded]:
        """Run one command with the given lines as its input, and yield what it says."""
        access = self.delegation.access
        if not access.may_administer:
            raise NotAuthorisedError("not authorised to administer this account")
        if not self.account.still_valid(access):
            raise NotAuthorisedError("not authorised any more")
        output, notes = _Bounded(), _Bounded()
        context = replace(
            self.context,
            directory=str(self.account.path),
            repository_directory=None,
            stdin=BytesIO("".join(f"{line}\n" for line in event.lines).encode()),
            stdout=output,
            stderr=notes,
            stdin_terminal=False,
            stdout_terminal=False,
            stderr_terminal=False,
            color="never",
            delegation=self.delegation,
        )
        status, error = self.runner(event.words, self.account.path, context)
        printed = [
            *[(line, True) for line in notes.getvalue().splitlines()],
            *[(line, False) for line in output.getvalue().splitlines()],
        ]
        if len(printed) > LINE_LIMIT or any(len(line) > LINE_BYTES_LIMIT for line, _ in printed):
            much = TooMuchOutputError()
            status, error, printed = much.exit_status, str(much), []
        for line, noted in printed:
            yield Printed(line.decode("utf-8", "replace"), noted)
        yield Concluded(status, error)


def administration_of(
    account: Account, visit: Visit, access: Access, context: Context
) -> Administration:
    """Return what runs the commands of administrators for a session on an account."""
    if context.administer is None:
        return NoAdministration()
    return AccountAdministration(account, Delegation(visit, access), context.administer, context)


class _Bounded(BytesIO):
    def write(self, data: bytes, /) -> int:  # type: ignore[override] # bytes are all we write
        if self.tell() + len(data) > OUTPUT_BYTES_LIMIT:
            raise TooMuchOutputError
        return super().write(data)
