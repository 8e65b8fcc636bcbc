"""The errors of msglog: one base, one class an exit status, each saying whose fault it is.

    MsglogError               70  ours: a bug
    ├── NegativeAnswer         1  nobody's: nothing found
    ├── UsageError             2  the user's: the call is wrong
    ├── NotAuthorisedError     3  the user's: the remote knows them, or does not, and says no
    ├── RemoteError            4  the peer's: unreachable, or does not speak msglog
    ├── IntegrityError         5  data are damaged, or a peer lied
    ├── RefusedError           6  the remote's policy or quota refused
    └── LocalError             7  this machine's: no repository, disk full, newer format, busy

Modules define their own subclasses of these near their use; a subclass keeps its parent's status.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import ClassVar


class MsglogError(Exception):
    """Base of every error that msglog raises on purpose.

    what: the failure in one clause, without a full stop.
    why: the cause in one clause, or "".
    hint: one sentence that says what to do, or "".
    """

    exit_status: ClassVar[int] = 70
    temporary: ClassVar[bool] = False
    """Whether the same may work later although nobody does anything about it."""

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Return how to make it again: a subclass says what its own arguments mean."""
        return _again, (type(self), self.args), self.__dict__

    @property
    def clause(self) -> str:
        """The error without its hint and without a full stop: WHAT (WHY)."""
        return f"{self.what} ({self.why})" if self.why else self.what

    def __str__(self) -> str:
        """Return the error on one line: WHAT (WHY). HINT."""
        return f"{self.clause}. {self.hint}" if self.hint else f"{self.clause}."


def _again(kind: type[MsglogError], arguments: tuple[object, ...]) -> MsglogError:
    """Return an error with these arguments, which need not be those of its own class."""
    return kind.__new__(kind, *arguments)


class NegativeAnswer(MsglogError):  # noqa: N818 - an answer, not a fault
    """The question was understood and the answer is no: nothing found, damage found."""

    exit_status = 1


class UsageError(MsglogError):
    """The command line, a name or a value that the user gave cannot be taken."""

    exit_status = 2


class NotAuthorisedError(MsglogError):
    """The remote refuses this user, or this operation to this user."""

    exit_status = 3


class RemoteError(MsglogError):
    """The remote cannot be reached, fell silent, or does not speak msglog."""

    exit_status = 4


class IntegrityError(MsglogError):
    """Stored data are damaged, or a peer sent what cannot be true."""

    exit_status = 5


class RefusedError(MsglogError):
    """A policy or a quota of the remote refused messages."""

    exit_status = 6


class LocalError(MsglogError):
    """What this machine cannot do: no repository, a full disk, a newer format, a busy store."""

    exit_status = 7


def local_error(error: OSError) -> LocalError:
    """Return what an error of the system means to people, where nothing more is known about it."""
    what = "cannot read or write" if error.filename is None else f"cannot use {error.filename}"
    return LocalError(what, why=error.strerror or str(error))
