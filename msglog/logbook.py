"""A repository as programs use it: adding, reading, and the exchange with remotes."""

from __future__ import annotations

import os
import threading
import time
from weakref import WeakSet

from msglog.annotation import TYPE_CHECKING
from msglog.entry import Draft, Entry, entry_of, read_entry
from msglog.errors import IntegrityError, UsageError
from msglog.key import SECOND, key_object_id, make_key
from msglog.layout import FOLDER, STORE_NAME
from msglog.message import UUID_BYTES, Message
from msglog.objectid import ObjectIdError, object_id, parse_object_id
from msglog.refname import DEFAULT_LOG, DEFAULT_REMOTE
from msglog.repository import Repository
from msglog.store.store import REPOSITORY_ID_BYTES, StoreError
from msglog.when import Moment, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from msglog.inspection import Damage
    from msglog.key import Key
    from msglog.message import MetaValue
    from msglog.objectid import ObjectId
    from msglog.query import Query
    from msglog.surroundings import Comparison, Exchanged, Surroundings

FORK_SECONDS = 15.0
"""How long a fork waits at most for what other threads have begun."""

_INHERITED: list[Repository] = []
"""Repositories that a fork has left us: SQLite forbids to use them, even to close them."""


class InvalidMessageError(UsageError):
    """What was given cannot be a message."""


class ClosedError(UsageError):
    """A logbook was used after it was closed."""


class ForkedError(UsageError):
    """What one process has begun was gone on with in a process forked from it."""


class Logbook:
    """An open repository.

    Threads may share one: they take turns. After a fork the child may go on using it, and gets a
    connection of its own; an iteration that was begun before the fork belongs to the parent.
    Everything that is added is durable when the call returns.

    author: who writes, where a message does not say; None for whom the configuration names.
    surroundings: what it asks about the process and remotes; None for what is installed.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        author: str | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._folder = os.path.abspath(folder)
        self._author = author
        self._surroundings = surroundings
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._closed = False
        self._last_time = 0
        self._repository: Repository | None = Repository.open(self._folder)
        _OPEN.add(self)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Return where it is."""
        return f"<msglog.Logbook {self._folder!r}>"

    def close(self) -> None:
        """Close it; whoever uses it afterwards gets ClosedError. To say so twice is harmless."""
        self._note_fork()
        with self._lock:
            self._closed = True
            if self._repository is not None:
                self._repository.close()
                self._repository = None

    @property
    def path(self) -> str:
        """The folder of the repository itself, such as `/home/ann/notes/.msglog`."""
        return self._folder

    @property
    def id(self) -> str:
        """What tells this repository from all others: 32 hex digits, which a backup keeps."""
        with self.using() as repository:
            return repository.store.identity.hex()

    @property
    def notices(self) -> list[str]:
        """What opening it has to tell people: texts of one line."""
        with self.using() as repository:
            return list(repository.notices)

    def process(self) -> int:
        """Return which process we are in, for `using`."""
        self._note_fork()
        return self._process

    def using(self, process: int | None = None) -> _Use:
        """Give the block the repository, and keep other threads from it.

        process: it must still be this one. Not part of the stable interface.
        """
        return _Use(self, process)

    def hold(self) -> bool:
        """Keep all other threads out until `let_go`: for a fork. Return whether that is so.

        A thread that is within SQLite at that moment would leave its locks behind, in the child for
        ever: not those of this class, but SQLite's own.
        """
        return self._lock.acquire(timeout=FORK_SECONDS)

    def let_go(self) -> None:
        """Let other threads go on."""
        self._lock.release()

    def _note_fork(self) -> None:
        """Leave to the process that we were forked from what is its own."""
        if self._process == os.getpid():
            return
        if self._repository is not None:
            _INHERITED.append(self._repository)
            self._repository = None
        self._lock = threading.RLock()
        self._process = os.getpid()

    def _enter(self, process: int | None) -> tuple[threading.RLock, Repository]:
        self._note_fork()
        if process is not None and process != self._process:
            raise ForkedError(
                "an iteration cannot go on in a forked process", hint="Begin it anew there."
            )
        lock = self._lock
        lock.acquire()
        try:
            self._check_open()
            if self._repository is None:
                self._repository = Repository.open(self._folder)
        except BaseException:
            lock.release()
            raise
        return lock, self._repository

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the logbook in {self._folder} is closed")

    def logs(self) -> list[str]:
        """Return the names of the logs, in order."""
        with self.using() as repository:
            return [log.name for log in repository.logs()]

    def log(self, name: str = DEFAULT_LOG) -> Query:
        """Return a log, as a query of all in it; raises UnknownLogError or InvalidNameError."""
        from msglog.query import Query  # noqa: PLC0415 - who only adds does without

        with self.using() as repository:
            repository.log(name)
        return Query(self, name)

    def create_log(self, name: str) -> None:
        """Make an empty log; raises LogExistsError or InvalidNameError."""
        with self.using() as repository:
            repository.create_log(name, time=_now())

    def add(
        self,
        body: str,
        *,
        log: str = DEFAULT_LOG,
        tags: Iterable[str] = (),
        meta: Mapping[str, MetaValue] | None = None,
        reply_to: Entry | str | None = None,
        author: str | None = None,
        time: datetime | None = None,
    ) -> Entry:
        """Add one message, durably, and return it with its id.

        Raises InvalidMessageError, UnknownLogError, StoreError and its kin. For many messages
        `add_many` is quicker by far: most of the time goes into waiting for the disk.
        """
        draft = Draft(body, tags, meta or {}, reply_to, author, time)
        return self.add_many([draft], log=log)[0]

    def add_many(self, drafts: Iterable[Draft | str], *, log: str = DEFAULT_LOG) -> list[Entry]:
        """Add messages in one transaction, all or none, and return them in their order.

        Raises as `add` does.
        """
        given = [Draft(draft) if isinstance(draft, str) else draft for draft in drafts]
        with self.using() as repository:
            repository.log(log)
            encoded: dict[Key, bytes] = {}
            entries: list[Entry] = []
            for draft in given:
                message = self._message(draft, repository)
                try:
                    data = message.encode()
                except IntegrityError as error:
                    raise InvalidMessageError("cannot make a message", why=error.why) from error
                oid = object_id(data)
                encoded[make_key(message.time, oid)] = data
                entries.append(entry_of(oid.hex(), message, log))
            if encoded:
                repository.add(log, encoded, time=_now())
            return entries

    def _message(self, draft: Draft, repository: Repository) -> Message:
        if not draft.body.strip():
            raise InvalidMessageError("there is nothing to add", why="the message is blank")
        if draft.time is None:
            # Later than the one before, so that what one process adds keeps its order.
            self._last_time = max(self._last_time + 1, _now())
            moment = Moment(self._last_time, _local_offset(self._last_time))
        else:
            moment = self.moment(draft.time)
        return Message(
            uuid=os.urandom(UUID_BYTES),
            time=moment.time,
            offset=moment.offset,
            author=self.author if draft.author is None else draft.author,
            body=draft.body,
            tags=tuple(sorted(set(draft.tags))),
            meta=dict(draft.meta),
            reply_to=None if draft.reply_to is None else _answered(repository, draft.reply_to),
        )

    @property
    def author(self) -> str:
        """Who writes, where a message does not say."""
        if self._author is None:
            self._author = self._around().author(self._folder)
        return self._author

    def get(self, id: str) -> Entry:  # noqa: A002 - what it is called everywhere
        """Return the message whose id begins with these 4 hex digits or more.

        Raises UnknownMessageError, AmbiguousIdError or ObjectIdError.
        """
        from msglog.selection import find_message  # noqa: PLC0415 - who only adds does without

        with self.using() as repository:
            key = find_message(repository, id)
            data = repository.store.read_messages([key])[key]
            return read_entry(key, data, _log_of(repository, key))

    def verify(self) -> Iterator[Damage]:
        """Yield what is damaged, having checked every message, index and ref: `msglog verify`."""
        from msglog.inspection import inspect  # noqa: PLC0415 - seldom wanted

        process = self.process()
        with self.using(process) as repository:
            found = inspect(repository)
        while True:
            with self.using(process):
                damage = next(found, None)
            if damage is None:
                return
            yield damage

    def remotes(self) -> dict[str, str]:
        """Return the URLs of the remotes by name."""
        return {name: remote.url for name, remote in self._around().remotes(self._folder).items()}

    def add_remote(self, name: str, url: str) -> None:
        """Name a remote; raises RemoteExistsError, InvalidNameError or UrlError."""
        self._around().add_remote(self._folder, name, url)

    def remove_remote(self, name: str) -> None:
        """Forget a remote and what was known of it; raises UnknownRemoteError."""
        self._around().remove_remote(self._folder, name)

    def status(self) -> list[Comparison]:
        """Compare each log with what each remote held when it was last met, offline."""
        from msglog.comparison import compare_all  # noqa: PLC0415 - seldom wanted

        remotes = self._around().remotes(self._folder)
        with self.using() as repository:
            return compare_all(repository, list(remotes.values()))

    def pull(self, remote: str = DEFAULT_REMOTE, *logs: str) -> list[Exchanged]:
        """Take what a remote has and we lack into our logs; without names, into all.

        remote: a name or a URL. Raises what ends the exchange: RemoteError, NotAuthorisedError,
        IntegrityError and their kin. What one of several logs was refused is in its `error`.
        Nobody is asked anything: an unknown host key is refused.
        """
        return self._around().pull(self._folder, remote, logs)

    def fetch(self, remote: str = DEFAULT_REMOTE, *logs: str) -> list[Exchanged]:
        """Take what a remote has and we lack, as `pull` does, but leave our logs as they are."""
        return self._around().fetch(self._folder, remote, logs)

    def push(self, remote: str = DEFAULT_REMOTE, *logs: str) -> list[Exchanged]:
        """Give a remote what we have and it lacks; without names, of all our logs.

        As `pull`. Messages that a policy of the remote refuses are no error: they are in `refused`.
        """
        return self._around().push(self._folder, remote, logs)

    def sync(self, remote: str = DEFAULT_REMOTE, *logs: str) -> list[Exchanged]:
        """Pull, then push, over one connection."""
        return self._around().sync(self._folder, remote, logs)

    def _around(self) -> Surroundings:
        self._check_open()
        if self._surroundings is None:
            from msglog.surroundings import find_surroundings  # noqa: PLC0415 - only for this

            self._surroundings = find_surroundings()
        return self._surroundings

    def moment(self, when: datetime | str) -> Moment:
        """Return a time in microseconds; a datetime without a zone is local time.

        Raises WhenError. Not part of the stable interface.
        """
        if isinstance(when, str):
            return parse(when, now=_now(), local_offset=_local_offset)
        if when.tzinfo is None:
            when = when.astimezone()
        offset = when.utcoffset()
        assert offset is not None
        minutes = offset.days * 1440 + offset.seconds // 60
        since = when - _beginning()
        return Moment((since.days * 86_400 + since.seconds) * SECOND + since.microseconds, minutes)


class _Use:
    """A block that has the repository for itself among the threads of this process."""

    __slots__ = ("_lock", "_logbook", "_process")

    def __init__(self, logbook: Logbook, process: int | None) -> None:
        self._logbook = logbook
        self._process = process

    def __enter__(self) -> Repository:
        """Wait for the other threads."""
        self._lock, repository = self._logbook._enter(self._process)  # noqa: SLF001 - part of it
        return repository

    def __exit__(self, *_: object) -> None:
        """Let them go on."""
        self._lock.release()


_OPEN: WeakSet[Logbook] = WeakSet()
_held: list[Logbook] = []


def _before_fork() -> None:
    _held.extend([book for book in list(_OPEN) if book.hold()])


def _after_fork() -> None:
    while _held:
        _held.pop().let_go()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def open_logbook(
    path: str | PathLike[str],
    *,
    author: str | None = None,
    surroundings: Surroundings | None = None,
) -> Logbook:
    """Open the repository in a folder: the one with the `.msglog`, or that one itself.

    It is not looked for above the folder. author: who writes, where a message does not say; None
    for whom the configuration names. surroundings: see docs/adr/0024, not stable.
    Raises StoreError, StoreFormatError or DamagedStoreError.
    """
    return Logbook(_folder_of(path), author=author, surroundings=surroundings)


def init(
    path: str | PathLike[str],
    *,
    author: str | None = None,
    surroundings: Surroundings | None = None,
) -> Logbook:
    """Make a repository in the `.msglog` of a folder, which is made if need be, and open it.

    Where there is one already, it is opened: to say so twice is harmless.
    """
    folder = os.path.join(path, FOLDER)
    store = os.path.join(folder, STORE_NAME)
    if not os.path.exists(store):
        try:
            made = Repository.create(folder, identity=os.urandom(REPOSITORY_ID_BYTES), time=_now())
            made.close()
        except StoreError:
            if not os.path.exists(store):  # else another process was first
                raise
    return Logbook(folder, author=author, surroundings=surroundings)


def clone(
    url: str,
    path: str | PathLike[str] | None = None,
    *,
    author: str | None = None,
    surroundings: Surroundings | None = None,
) -> Logbook:
    """Make a repository of all that is at a URL, with it as the remote `origin`, and open it.

    path: the folder that it will lie in; None for one in the current folder, named after the URL.
    Raises as `Logbook.pull` does, and CloneFolderError where a repository is already.
    """
    if surroundings is None:
        from msglog.surroundings import find_surroundings  # noqa: PLC0415 - only for this

        surroundings = find_surroundings()
    folder = surroundings.clone(url, None if path is None else os.fspath(path))
    return Logbook(folder, author=author, surroundings=surroundings)


def _folder_of(path: str | PathLike[str]) -> str:
    inside = os.path.join(path, FOLDER)
    return inside if os.path.isdir(inside) else os.fspath(path)


def _log_of(repository: Repository, key: Key) -> str:
    """Return the first log that has a message; "" for one that only remotes have."""
    for log in repository.logs():
        if next(repository.keys(log.root, first=key, last=key), None) is not None:
            return log.name
    return ""


def _answered(repository: Repository, reply_to: Entry | str) -> ObjectId:
    """Return the id of the message that is answered; a whole id may be of one not here yet."""
    if isinstance(reply_to, Entry):
        return parse_object_id(reply_to.id)
    try:
        return parse_object_id(reply_to.lower())
    except ObjectIdError:
        from msglog.selection import find_message  # noqa: PLC0415 - only for abbreviations

        return key_object_id(find_message(repository, reply_to))


def _now() -> int:
    return time.time_ns() // 1000


def _local_offset(moment: int) -> int:
    try:
        return time.localtime(moment // SECOND).tm_gmtoff // 60
    except (OverflowError, OSError, ValueError):
        return 0


def _beginning() -> datetime:
    from datetime import UTC, datetime  # noqa: PLC0415 - only for times that are given

    return datetime(1970, 1, 1, tzinfo=UTC)
