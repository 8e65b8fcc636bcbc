"""The rounds of `sync --every`: pulling and pushing again and again, in one session if it lasts."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import MsglogError, NotAuthorisedError, RefusedError
from plumbing.transport.channel import ChannelError, NotLetInError
from porcelain.display import one_line
from porcelain.ending import Ended, Ending
from porcelain.giving import give
from porcelain.printing import note
from porcelain.stalled_output import let_go
from porcelain.taking import take
from porcelain.turnover import Turnover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porcelain.exchange import Exchange
    from porcelain.schedule import Schedule

_CHANCE_BYTES = 4


class Rounds:
    """Keeps our logs and a remote's in step until something ends it. Memory does not grow.

    What may pass by itself, such as a remote that cannot be reached, is waited for; any other
    error is raised. A host that let us in before and does not any more is waited for as well.
    """

    def __init__(self, one: Exchange, logs: Sequence[str], schedule: Schedule) -> None:
        self._one = one
        self._context = one.context
        self._logs = logs
        self._schedule = schedule
        self._ending = Ending()
        self._failures = 0
        self._complaint = ""
        self._moved = 0.0

    def run(self) -> int:
        """Go on until SIGTERM, which is status 0, or until a round says that it is of no use."""
        self._one.heed = self._ending.step
        with self._ending.heeded():
            try:
                while True:
                    seconds = self._round()
                    if status := self._one.status():
                        return status
                    with self._ending.waiting():
                        self._context.sleep(seconds)
            except Ended:
                let_go(self._context.stdout)
                return 0

    def _round(self) -> float:
        """Do one round, and return how long to wait for the next."""
        started = self._context.monotonic()
        try:
            turnover = self._exchange()
        except MsglogError as error:
            shut_out = isinstance(error, NotLetInError) and self._one.let_in
            if not error.temporary and not shut_out:
                raise
            self._one.close()
            self._failures += 1
            chance = int.from_bytes(self._context.random(_CHANCE_BYTES)) / (1 << 8 * _CHANCE_BYTES)
            seconds = self._schedule.after_failure(self._failures, chance)
            self._complain(error, seconds)
            return seconds
        if self._failures:
            self._failures, self._complaint = 0, ""
            note(self._context, f"msglog: {one_line(self._one.target.shown)} answers again")
        with self._ending.waiting():  # for whoever reads it
            turnover.report(self._one)
        if turnover.moved or not self._one.reused:
            self._moved = started
        now = self._context.monotonic()
        seconds = self._schedule.until_next(started, now)
        local = self._one.target.url.kind == "local"
        if local or not self._schedule.outlasts(self._moved, now + seconds):
            self._one.close()
        return seconds

    def _exchange(self) -> Turnover:
        """Pull and push once. A session that was open is only a try: a new one has the last word.

        The server may have given up on it meanwhile, or have given its user other rights. If it
        says that we are not authorised, and then lets us in no more, we were removed.
        """
        turnover = Turnover(self._context.now())
        try:
            self._pull_and_push(turnover)
        except (ChannelError, NotAuthorisedError) as error:
            if not self._one.reused:
                raise
            self._one.close()
            try:
                self._pull_and_push(turnover)
            except NotLetInError:
                if isinstance(error, NotAuthorisedError):
                    raise error from None
                raise
        return turnover

    def _pull_and_push(self, turnover: Turnover) -> None:
        self._one.begin(turnover)
        take(self._one, self._logs, pull=True)
        give(self._one, self._logs)
        if self._one.status() == RefusedError.exit_status:
            self._one.statuses.clear()  # said, and held back: no reason to stop

    def _complain(self, error: MsglogError, seconds: float) -> None:
        """Say why the remote is waited for, once for each reason."""
        text = one_line(error.clause)
        if text != self._complaint or self._context.verbose:
            self._complaint = text
            note(self._context, f"msglog: {text}; trying again in {seconds:.0f} s")
