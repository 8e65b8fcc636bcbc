"""Watching for programs: new messages one by one, without a word to anybody."""

from __future__ import annotations

import select
import time
from contextlib import ExitStack, closing

from msglog.annotation import TYPE_CHECKING
from msglog.errors import MsglogError
from msglog.key import FIRST_KEY
from plumbing.news import Arrived
from plumbing.own_watch import own_watch
from plumbing.watching import RemoteWatch
from porcelain.exchange import exchange_with
from porcelain.reconnection import Reconnection
from porcelain.watch import pulled_watch, watched_logs

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from msglog.key import Key
    from msglog.repository import Repository
    from msglog.store.notice import Notice
    from plumbing.context import Context
    from plumbing.news import News
    from plumbing.own_watch import OwnWatch
    from plumbing.session import Session
    from porcelain.exchange import Exchange
    from porcelain.vigil import Watch

    Message: TypeAlias = "tuple[str, Key, bytes]"
    """A message of a log: the log, its key and its bytes."""

_BEGUN: Message = ("", FIRST_KEY, b"")
"""Is yielded first, to nobody: what a generator holds is freed only once it has begun."""

_CLOCK = time.monotonic


class Patience:
    """Counts the seconds since something came last. ended: whether nobody waits any more."""

    def __init__(self, seconds: float | None, ended: Callable[[], bool]) -> None:
        self._seconds = seconds
        self.ended = ended
        self._since = _CLOCK()

    def renew(self) -> None:
        """Begin to count again."""
        self._since = _CLOCK()

    def left(self) -> float | None:
        """Return after how many more seconds it is enough; None: never."""
        return None if self._seconds is None else self._since + self._seconds - _CLOCK()

    @property
    def is_over(self) -> bool:
        """Whether it is enough."""
        left = self.left()
        return self.ended() or (left is not None and left <= 0)


def follow_here(
    repository: Repository, patterns: Sequence[str], *, newest: int, patience: Patience
) -> Generator[Message]:
    """Begin to watch our own logs, which others of our processes change; closes the repository.

    Raises UnknownLogError and StoreError, now or later.
    """
    with ExitStack() as opened:
        opened.enter_context(closing(repository))
        notice = opened.enter_context(closing(repository.store.notice()))
        watch = own_watch(repository, watched_logs(patterns), newest=newest)
        first = list(_messages(watch.news()))
        going = _go_on_here(opened.pop_all(), watch, notice, first, patience)
        next(going)
        return going
    raise AssertionError


def _go_on_here(
    opened: ExitStack, watch: OwnWatch, notice: Notice, first: list[Message], patience: Patience
) -> Generator[Message]:
    with opened:
        yield _BEGUN
        yield from first
        while not patience.ended():
            for message in _messages(watch.news()):
                yield message
                patience.renew()
            while not notice.changed():
                if patience.is_over:
                    return
                _wait(notice, patience.left())


def _wait(notice: Notice, most: float | None) -> None:
    seconds = notice.seconds if most is None else min(notice.seconds, max(most, 0))
    poller = select.poll()
    if notice.fileno() >= 0:
        poller.register(notice.fileno(), select.POLLIN)
    poller.poll(seconds * 1000)


def follow_remote(
    arguments: Namespace, context: Context, *, newest: int, pull: bool, patience: Patience
) -> Generator[Message]:
    """Connect to a remote and begin to watch its logs; raises what that raises, now or later."""
    with ExitStack() as opened:
        one = opened.enter_context(exchange_with(arguments, context))
        logs = watched_logs(arguments.logs)
        if not arguments.logs and one.scope is not None:
            logs = watched_logs(one.scope.patterns, expected=False)
        watch: Watch = pulled_watch(one, logs, newest) if pull else RemoteWatch(logs, newest=newest)
        following = _Following(one, watch, patience)
        first = list(_messages(following.answer()))
        going = _go_on_there(opened.pop_all(), following, first)
        next(going)
        return going
    raise AssertionError


def _go_on_there(
    opened: ExitStack, following: _Following, first: list[Message]
) -> Generator[Message]:
    with opened:
        yield _BEGUN
        yield from first
        while not following.patience.is_over:
            for message in _messages(following.answer()):
                yield message
                following.patience.renew()


class _Following:
    """A remote that is watched over one session after another."""

    def __init__(self, one: Exchange, watch: Watch, patience: Patience) -> None:
        self._one = one
        self._watch = watch
        self.patience = patience
        self._session: Session | None = None
        self._reconnection = Reconnection(one.context.random)

    def answer(self) -> Iterator[News]:
        """Yield what one answer of the server has; after what may pass by itself, nothing."""
        try:
            if self._session is None:
                session = self._one.open()
                self._watch.begin(session)
                self._session = session
            yield from self._watch.news(self._session)
        except MsglogError as error:
            self._recover(error)
            return
        self._reconnection.answered()

    def _recover(self, error: MsglogError) -> None:
        """Wait until it may work again; raises if there is no hope."""
        self._session = None
        self._one.close()
        seconds = self._reconnection.seconds_after(error)
        if not seconds:
            return
        left = self.patience.left()
        self._one.context.sleep(seconds if left is None else min(seconds, max(left, 0)))


def _messages(news: Iterable[News]) -> Iterator[Message]:
    for one in news:
        if isinstance(one, Arrived):
            for key, data in zip(one.keys, one.objects, strict=True):
                yield one.log, key, data
