"""Watching without end: waiting for what is new, and for a remote that cannot be reached."""

from __future__ import annotations

import select

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.errors import MsglogError
from porcelain.display import one_line
from porcelain.ending import Ended, Ending
from porcelain.printing import note
from porcelain.reader_guard import ReaderGuard
from porcelain.reconnection import Reconnection
from porcelain.stalled_output import let_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.store.notice import Notice
    from plumbing.context import Context
    from plumbing.news import News
    from plumbing.own_watch import OwnWatch
    from plumbing.session import Session
    from porcelain.exchange import Exchange
    from porcelain.news_display import NewsDisplay


class Watch(Protocol):
    """What is watched over sessions; see `plumbing.watching` and `plumbing.own_watch`."""

    def begin(self, session: Session) -> None:
        """Go on over a new session."""

    def news(self, session: Session) -> Iterator[News]:
        """Wait for one answer of the server, and yield what is new."""


class RemoteVigil:
    """Shows what is new at a remote until something ends it; see `porcelain.reconnection`."""

    def __init__(self, one: Exchange, watch: Watch, display: NewsDisplay) -> None:
        self._one = one
        self._context = one.context
        self._watch = watch
        self._display = display
        self._ending = Ending()
        self._session: Session | None = None
        self._reconnection = Reconnection(one.context.random)
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
                let_go(self._context.stdout)
                return 0

    def _try(self) -> None:
        """Show one answer of the server, or come to terms with an error."""
        try:
            with self._ending.waiting():
                session = self._open()
            news = self._watch.news(session)
            while True:
                with self._ending.waiting():  # also for whoever reads what is shown
                    one = next(news, None)
                    if one is None:
                        break
                    self._display.show(one)
        except MsglogError as error:
            self._recover(error)
            return
        self._reconnection.answered()
        if self._complaint:
            self._complaint = ""
            note(self._context, f"msglog: {one_line(self._one.target.shown)} answers again")

    def _open(self) -> Session:
        if self._session is None:
            session = self._one.open()
            self._watch.begin(session)
            self._session = session
        return self._session

    def _recover(self, error: MsglogError) -> None:
        """Wait until it may work again; raises the error if there is no hope."""
        self._session = None
        self._one.close()
        seconds = self._reconnection.seconds_after(error)
        if not seconds:
            return
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
                        with self._ending.waiting():
                            self._display.show(one)
                    with self._ending.waiting():
                        while not self._notice.changed():
                            wait(self._notice)
            except Ended:
                if guard.has_gone:
                    raise BrokenPipeError from None
                let_go(self._context.stdout)
                return 0


def wait(notice: Notice) -> None:
    """Wait until a notice is to be asked."""
    poller = select.poll()
    if notice.fileno() >= 0:
        poller.register(notice.fileno(), select.POLLIN)
    poller.poll(notice.seconds * 1000)
