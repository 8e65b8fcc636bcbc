"""What the audit is told of a session: which operation is under way, and what became of it."""

from __future__ import annotations

from msglog.account.audit import ADMIN, CUT, OK, PUSH, REFUSED, SESSION, WATCH, Act
from msglog.annotation import TYPE_CHECKING
from msglog.wire.events import Administer, Fetch, GetNodes, ListRefs, Push, Transfer, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.account.audit import Audit
    from msglog.wire.events import Event

EMPTY_PUSHES_LIMIT = 64
"""How many pushes of nothing wait for the end of their session; then all are written at once."""

SUM_MICROSECONDS = 3_600_000_000
"""For how long what is added up waits, before it is recorded."""

SUMS_LIMIT = 64
"""Of how many logs sums are kept."""


class Recorder:
    """Follows a session, and records each operation when it is over.

    A push has a record for each of its batches, written before the batch is acknowledged, so that
    nothing is ever acknowledged and not recorded. One that brings nothing is recorded at the end.
    A session that watches has a record when it begins to; what it fetches from then on is recorded
    as a sum for each log, once an hour and at the end. So are the lists and the fetches of nothing
    of a session that has a record of the same already: it comes back for years, maybe.

    clock: microseconds. What an operation takes is counted from when it is begun, with all of the
    request here, until the client has been given all of the answer.
    """

    def __init__(self, audit: Audit, clock: Callable[[], int]) -> None:
        self._audit = audit
        self._clock = clock
        self._began = 0
        self._operation = ""
        self._log = ""
        self._messages = self._size = 0
        self._pushed_log = ""
        self._transferring = False
        self._answering_push = False
        self._empty_pushes: dict[str, int] = {}
        self._watches = False
        self._recorded: set[tuple[str, str]] = set()
        self._sums: dict[tuple[str, str], tuple[int, int]] = {}
        self._sums_since = 0

    def begin(self, event: Event) -> None:
        """Take note of what the client asks for."""
        self._messages = self._size = 0
        self._began = self._clock()
        match event:
            case ListRefs():
                self._operation, self._log = "list", ""
            case Fetch():
                self._operation, self._log = "fetch", event.log
            case GetNodes():
                self._operation, self._log = "get-nodes", event.log
            case Watch():
                self._operation, self._log = WATCH, ""
            case Administer():
                self._operation, self._log = ADMIN, ""
            case Push():
                self._operation, self._log = PUSH, event.log
                if len(self._empty_pushes) >= EMPTY_PUSHES_LIMIT:
                    self._flush()
            case Transfer():
                self._operation = PUSH
                self._log = self._pushed_log = event.log
                self._transferring = True
            case _:
                self._operation, self._log = PUSH, self._pushed_log

    def sent(self, messages: int, size: int) -> None:
        """Count messages, and bytes of messages or of nodes, that the client is sent."""
        self._messages += messages
        self._size += size

    def answered_push(self, log: str) -> None:
        """Take note that a client that wants to push was told where to start from."""
        self._empty_pushes[log] = 0
        self._answering_push = True

    def took(self, messages: int, size: int, refused: int) -> None:
        """Record durably a batch that is stored, before it is acknowledged."""
        self._empty_pushes.pop(self._log, None)
        result = REFUSED if refused else OK
        act = Act(PUSH, self._log, messages, size, refused, result, duration=self._elapsed())
        self._audit.record(act, durable=True)

    def transferred(self) -> None:
        """Take note that a push has come to its end."""
        self._transferring = False

    def over(self) -> None:
        """Record the operation under way, if there is one: it went well."""
        if self._answering_push:
            self._answering_push = False
            self._empty_pushes[self._log] = self._elapsed()
        if self._is_to_be_summed():
            self._add_up()
        elif self._operation == WATCH:
            self._begin_to_watch()
        elif self._operation not in ("", PUSH, ADMIN):  # commands record what they did themselves
            self._write(OK)
        self._operation = ""

    def failed(self, code: str) -> None:
        """Record that the operation under way, or else the session, ended with an error."""
        if self._operation == PUSH:
            self._empty_pushes.pop(self._log, None)
        self._transferring = self._answering_push = False
        self._write(code)

    def close(self) -> None:
        """Record at the end of a session what is not recorded yet."""
        if self._transferring:
            self._operation, self._log = PUSH, self._pushed_log
            self._empty_pushes.pop(self._log, None)
            self._transferring = False
            self._write(CUT)
        elif self._operation not in ("", PUSH, WATCH):
            self._write(CUT)
        self._operation = ""
        self._flush()
        self._write_sums()

    def _write(self, result: str) -> None:
        operation, log = self._operation or SESSION, self._log if self._operation else ""
        duration = None
        if result != CUT and operation not in (ADMIN, SESSION):
            duration = self._elapsed()
        self._operation = ""
        self._audit.record(
            Act(operation, log, self._messages, self._size, result=result, duration=duration)
        )
        self._messages = self._size = 0

    def _begin_to_watch(self) -> None:
        """Record that the client watches, unless it does so already."""
        if not self._watches:
            self._watches = True
            self._write(OK)

    def _is_to_be_summed(self) -> bool:
        """Tell whether the operation that is over is recorded with others of its kind."""
        if self._watches and self._operation in ("fetch", "get-nodes"):
            return True
        if self._operation not in ("list", "fetch") or self._messages:
            return False
        kind = self._operation, self._log
        if kind in self._recorded:
            return True
        if len(self._recorded) < SUMS_LIMIT:
            self._recorded.add(kind)
        return False

    def _add_up(self) -> None:
        """Count what was sent in the sum of its log."""
        if not self._sums:
            self._sums_since = self._clock()
        kind = "list" if self._operation == "list" else "fetch", self._log
        messages, size = self._sums.get(kind, (0, 0))
        self._sums[kind] = messages + self._messages, size + self._size
        age = self._clock() - self._sums_since
        if len(self._sums) > SUMS_LIMIT or not 0 <= age < SUM_MICROSECONDS:
            self._write_sums()

    def _write_sums(self) -> None:
        while self._sums:
            kind = next(iter(self._sums))
            messages, size = self._sums.pop(kind)
            self._audit.record(Act(*kind, messages, size))

    def _elapsed(self) -> int:
        """Return the microseconds since the operation was begun; a clock may be set back."""
        return max(self._clock() - self._began, 0)

    def _flush(self) -> None:
        while self._empty_pushes:
            log = next(iter(self._empty_pushes))
            duration = self._empty_pushes.pop(log)
            self._audit.record(Act(PUSH, log, duration=duration))
