"""Watching without end: waiting for what is new, and for a remote that cannot be reached."""

from __future__ import annotations

import select

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.errors import MsglogError, NotAuthorisedError
from plumbing.session import NotMsglogError
from plumbing.transport.channel import NotLetInError
from porcelain.display import one_line
from porcelain.ending import Ended, Ending
from porcelain.printing import note
from porcelain.reader_guard import ReaderGuard
from porcelain.schedule import delay_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.store.notice import Notice
    from plumbing.context import Context
    from plumbing.news import News
    from plumbing.own_watch import OwnWatch
    from plumbing.session import Session
    from porcelain.exchange import Exchange
    from porcelain.news_display import NewsDisplay

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0
"""Between two tries to reach a remote again: from the first on, twice as long each time."""

_CHANCE_BYTES = 4


class Watch(Protocol):
    """What is watched over sessions; see `plumbing.watching` and `plumbing.own_watch`."""

    def begin(self, session: Session) -> None:
        """Go on over a new session."""

    def news(self, session: Session) -> Iterator[News]:
        """Wait for one answer of the server, and yield what is new."""


class RemoteVigil:
    """Shows what is new at a remote until something ends it.

    What may pass by itself is waited for once the remote was reached; any other error is raised.
    """

    def __init__(self, one: Exchange, watch: Watch, display: NewsDisplay) -> None:
        self._one = one
        self._context = one.context
        self._watch = watch
        self._display = display
        self._ending = Ending()
        self._session: Session | None = None
        self._answers = 0
        self._reached = False
        self._removed: NotAuthorisedError | None = None
        self._failures = 0
        self._complaint = ""

    def run(self) -> int:
        """Go on until SIGTERM, which is status 0, or until an error."""
        with self._ending.heeded(), ReaderGuard(self._context) as guard:
            try:
                while True:
                    self._try()
            except Ended:
                if guard.has_gone:
                    raise BrokenPipeError from None
                return 0

    def _try(self) -> None:
        """Show one answer of the server, or come to terms with an error."""
        try:
            with self._ending.waiting():
                session = self._open()
            news = self._watch.news(session)
            while True:
                with self._ending.waiting():
                    one = next(news, None)
                if one is None:
                    break
                self._display.show(one)
        except MsglogError as error:
            self._recover(error)
            return
        self._answers += 1
        self._reached = True
        self._removed = None
        if self._complaint:
            self._complaint = ""
            note(self._context, f"msglog: {one_line(self._one.target.shown)} answers again")
        if self._answers > 1:  # a server that falls over each time is tried ever more rarely
            self._failures = 0

    def _open(self) -> Session:
        if self._session is None:
            session = self._one.open()
            self._watch.begin(session)
            self._session, self._answers = session, 0
        return self._session

    def _recover(self, error: MsglogError) -> None:
        """Wait until it may work again; raises the error if there is no hope."""
        over_old_session = self._session is not None and self._answers > 0
        self._session = None
        self._one.close()
        if isinstance(error, NotAuthorisedError) and over_old_session:
            self._removed = error
            return  # rights may have changed for the better: a new session has the last word
        if isinstance(error, NotLetInError) and self._removed is not None:
            raise self._removed
        # A host that restarts may let us in and have nothing to say yet, or know no keys yet.
        passing = error.temporary or isinstance(error, NotMsglogError | NotLetInError)
        if not passing or not self._reached:
            raise error
        self._failures += 1
        chance = int.from_bytes(self._context.random(_CHANCE_BYTES)) / (1 << 8 * _CHANCE_BYTES)
        seconds = delay_after(
            self._failures, chance, first=FIRST_DELAY_SECONDS, longest=LONGEST_DELAY_SECONDS
        )
        self._complain(error, seconds)
        with self._ending.waiting():
            self._context.sleep(seconds)

    def _complain(self, error: MsglogError, seconds: float) -> None:
        """Say why the remote is waited for, once for each reason."""
        text = one_line(error.clause)
        if text != self._complaint or self._context.verbose:
            self._complaint = text
            note(self._context, f"msglog: {text}; trying again in {max(seconds, 1):.0f} s")


class OwnVigil:
    """Shows what is new in our own repository until something ends it."""

    def __init__(
        self, context: Context, watch: OwnWatch, notice: Notice, display: NewsDisplay
    ) -> None:
        self._context = context
        self._watch = watch
        self._notice = notice
        self._display = display
        self._ending = Ending()

    def run(self) -> int:
        """Go on until SIGTERM, which is status 0, or until an error."""
        with self._ending.heeded(), ReaderGuard(self._context) as guard:
            try:
                while True:
                    for one in self._watch.news():
                        self._display.show(one)
                        self._ending.step()
                    with self._ending.waiting():
                        while not self._notice.changed():
                            wait(self._notice)
            except Ended:
                if guard.has_gone:
                    raise BrokenPipeError from None
                return 0


def wait(notice: Notice) -> None:
    """Wait until a notice is to be asked."""
    poller = select.poll()
    if notice.fileno() >= 0:
        poller.register(notice.fileno(), select.POLLIN)
    poller.poll(notice.seconds * 1000)
