"""A repository as programs use it: adding, reading, and the exchange with remotes."""

from __future__ import annotations

import os

from msglog import argument
from msglog.annotation import TYPE_CHECKING, cast
from msglog.clock import local_offset, moment_of, now
from msglog.entry import Draft, Entry, entry_of, read_entry
from msglog.errors import IntegrityError, UsageError, local_error
from msglog.key import key_object_id, make_key
from msglog.layout import FOLDER, STORE_NAME
from msglog.message import UUID_BYTES, Message
from msglog.objectid import ObjectIdError, object_id, parse_object_id
from msglog.refname import DEFAULT_LOG, DEFAULT_REMOTE
from msglog.repository import Repository
from msglog.shared_repository import SharedRepository
from msglog.store.store import REPOSITORY_ID_BYTES, StoreError
from msglog.when import Moment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from msglog.comparison import Comparison
    from msglog.inspection import Damage
    from msglog.key import Key
    from msglog.message import MetaValue
    from msglog.objectid import ObjectId
    from msglog.query import Query
    from msglog.search.found import Found
    from msglog.surroundings import Exchanged, Surroundings


class InvalidMessageError(UsageError):
    """What was given cannot be a message."""


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
        self._shared = SharedRepository(folder)
        self._author = None if author is None else argument.text(author, "an author")
        self._surroundings = surroundings
        self._last_time = 0

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
        return f"<msglog.Logbook {self.path!r}>"

    def close(self) -> None:
        """Close it; whoever uses it afterwards gets ClosedError. To say so twice is harmless."""
        self._shared.close()

    @property
    def path(self) -> str:
        """The folder of the repository itself, such as `/home/ann/notes/.msglog`."""
        return self._shared.folder

    @property
    def id(self) -> str:
        """What tells this repository from all others: 32 hex digits, which a backup keeps."""
        with self._shared.using() as repository:
            return repository.store.identity.hex()

    @property
    def notices(self) -> list[str]:
        """What opening it has to tell people: texts of one line."""
        with self._shared.using() as repository:
            return list(repository.notices)

    def logs(self) -> list[str]:
        """Return the names of the logs, in order."""
        with self._shared.using() as repository:
            return [log.name for log in repository.logs()]

    def log(self, name: str = DEFAULT_LOG) -> Query:
        """Return a log, as a query of all in it; raises UnknownLogError or InvalidNameError.

        name: of one here; `origin/main` for what is known of a remote's; or `A..B` for what one
        has and another lacks: `main..origin/main` is what was fetched and is not pulled.
        """
        from msglog.query import Query  # noqa: PLC0415 - who only adds does without
        from msglog.revision import find_revision  # noqa: PLC0415 - as above

        with self._shared.using() as repository:
            find_revision(repository, argument.text(name, "a log"), remotes=self.remotes)
        return Query(self._shared, name)

    def create_log(self, name: str) -> None:
        """Make an empty log; raises LogExistsError or InvalidNameError."""
        with self._shared.using() as repository:
            repository.create_log(argument.text(name, "a log"), time=now())

    def rename_log(self, name: str, new: str) -> None:
        """Give a log another name; raises UnknownLogError, LogExistsError or InvalidNameError."""
        with self._shared.using() as repository:
            repository.rename_log(
                argument.text(name, "a log"), argument.text(new, "a log"), time=now()
            )

    def delete_log(self, name: str) -> None:
        """Forget a log; its messages stay until `msglog gc`. Raises UnknownLogError."""
        with self._shared.using() as repository:
            repository.delete_log(argument.text(name, "a log"), time=now())

    def add(
        self,
        body: str,
        *,
        log: str = DEFAULT_LOG,
        tags: Iterable[str] = (),
        meta: Mapping[str, MetaValue] | None = None,
        reply_to: Entry | str | None = None,
        author: str | None = None,
        time: date | str | None = None,
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
        given = _drafts(drafts)
        with self._shared.using() as repository:
            repository.log(argument.text(log, "a log"))
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
                repository.add(log, encoded, time=now())
            return entries

    def _message(self, draft: Draft, repository: Repository) -> Message:
        if not argument.text(draft.body, "a message").strip():
            raise InvalidMessageError("there is nothing to add", why="the message is blank")
        if draft.time is None:
            # Later than the one before, so that what one process adds keeps its order.
            self._last_time = max(self._last_time + 1, now())
            moment = Moment(self._last_time, local_offset(self._last_time))
        else:
            moment = moment_of(draft.time)
        return Message(
            uuid=os.urandom(UUID_BYTES),
            time=moment.time,
            offset=moment.offset,
            author=self.author if draft.author is None else draft.author,
            body=draft.body,
            tags=tuple(sorted(set(argument.texts(draft.tags, "the tags")))),
            meta=_meta(draft.meta),
            reply_to=None if draft.reply_to is None else _answered(repository, draft.reply_to),
        )

    @property
    def author(self) -> str:
        """Who writes, where a message does not say."""
        if self._author is None:
            self._author = self._around().author(self.path)
        return self._author

    def get(self, id: str) -> Entry:  # noqa: A002 - what it is called everywhere
        """Return the message whose id begins with these 4 hex digits or more.

        Raises UnknownMessageError, AmbiguousIdError or ObjectIdError.
        """
        from msglog.selection import find_message  # noqa: PLC0415 - who only adds does without

        with self._shared.using() as repository:
            key = find_message(repository, argument.text(id, "an id"))
            data = repository.store.read_messages([key])[key]
            return read_entry(key, data, _log_of(repository, key))

    def search(
        self, query: str, *, logs: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Found]:
        """Find messages by their words and more, best first; a query is as `msglog search` has it.

        logs: where to look; everywhere if there are none. First the index of words is brought up to
        date, which the first time takes a minute for a million messages; other threads wait for
        that. Messages are read when they are gone through. Raises UsageError for what cannot be
        understood, LocalError where no index can be made.
        """
        from msglog.search.found import find  # noqa: PLC0415 - seldom wanted

        caches = self._around().caches
        query = argument.text(query, "a query")
        logs = argument.texts(logs, "the logs")
        if limit is not None:
            limit = argument.whole_number(limit, "a limit")
        return find(self._shared, query, logs=logs, limit=limit, caches=caches)

    def watch(
        self,
        remote: str | None = None,
        *logs: str,
        newest: int = 0,
        pull: bool = False,
        timeout: float | None = None,
    ) -> Generator[Entry]:
        """Yield messages as they come from now on, at a remote or, without one, into this logbook.

        logs: names and patterns such as `lab/*`; all if there are none. newest: how many of each to
        begin with. pull: take what comes from a remote into our logs, as `pull` does. timeout: end
        when nothing has come for so many seconds; of a remote it may take half a minute longer.
        `close` ends it at once, from the thread that goes through it; from any other, closing the
        logbook ends it within some seconds, or of a remote a minute.

        A connection that is cut is made again, and nothing is lost or shown twice. Raises what
        `pull` raises, now or later; UnknownLogError for a log that there is not.
        """
        came = self._around().watch(
            self.path,
            None if remote is None else argument.address(remote, "a remote"),
            argument.texts(logs, "the logs"),
            newest=argument.whole_number(newest, "newest"),
            pull=pull,
            timeout=None if timeout is None else argument.number(timeout, "a timeout"),
            ended=lambda: self._shared.is_closed,
        )
        entries = _entries(came)
        next(entries)
        return entries

    def verify(self) -> Iterator[Damage]:
        """Yield what is damaged, having checked every message, index and ref: `msglog verify`."""
        from msglog.inspection import inspect  # noqa: PLC0415 - seldom wanted

        opening = self._shared.opening
        with self._shared.using(opening) as repository:
            found = inspect(repository)
        while True:
            with self._shared.using(opening):
                damage = next(found, None)
            if damage is None:
                return
            yield damage

    def remotes(self) -> dict[str, str]:
        """Return the URLs of the remotes by name."""
        return {name: remote.url for name, remote in self._around().remotes(self.path).items()}

    def add_remote(self, name: str, url: str) -> None:
        """Name a remote; raises RemoteExistsError, InvalidNameError or UrlError."""
        self._around().add_remote(
            self.path, argument.text(name, "a remote"), argument.address(url, "a URL")
        )

    def remove_remote(self, name: str) -> None:
        """Forget a remote and what was known of it; raises UnknownRemoteError."""
        self._around().remove_remote(self.path, argument.text(name, "a remote"))

    def status(self) -> list[Comparison]:
        """Compare each log with what each remote held when it was last met, offline."""
        from msglog.comparison import compare_all  # noqa: PLC0415 - seldom wanted

        remotes = self._around().remotes(self.path)
        with self._shared.using() as repository:
            return compare_all(repository, list(remotes.values()))

    def pull(
        self,
        remote: str = DEFAULT_REMOTE,
        *logs: str,
        since: date | str | None = None,
        whole: bool = False,
    ) -> list[Exchanged]:
        """Take what a remote has and we lack into our logs; without names, into all.

        remote: a name or a URL. since: only what was written then or later, from now on; whole:
        older messages too, from now on. Raises what ends the exchange: RemoteError,
        NotAuthorisedError, IntegrityError and their kin. What one of several logs was refused is in
        its `error`. Nobody is asked anything: an unknown host key is refused.
        """
        return self._around().pull(
            self.path, *_named(remote, logs), since=_since(since), whole=whole
        )

    def fetch(
        self,
        remote: str = DEFAULT_REMOTE,
        *logs: str,
        since: date | str | None = None,
        whole: bool = False,
    ) -> list[Exchanged]:
        """Take what a remote has and we lack, as `pull` does, but leave our logs as they are."""
        return self._around().fetch(
            self.path, *_named(remote, logs), since=_since(since), whole=whole
        )

    def push(self, remote: str = DEFAULT_REMOTE, *logs: str) -> list[Exchanged]:
        """Give a remote what we have and it lacks; without names, of all our logs.

        As `pull`. Messages that a policy of the remote refuses are no error: they are in `refused`.
        """
        return self._around().push(self.path, *_named(remote, logs))

    def sync(self, remote: str = DEFAULT_REMOTE, *logs: str) -> list[Exchanged]:
        """Pull, then push, over one connection."""
        return self._around().sync(self.path, *_named(remote, logs))

    def _around(self) -> Surroundings:
        self._shared.check_open()
        if self._surroundings is None:
            from msglog.surroundings import find_surroundings  # noqa: PLC0415 - only for this

            self._surroundings = find_surroundings()
        return self._surroundings


def open_logbook(
    path: str | PathLike[str],
    *,
    author: str | None = None,
    surroundings: Surroundings | None = None,
) -> Logbook:
    """Open the repository in a folder: the one with the `.msglog`, or that one itself.

    It is not looked for above the folder. author: who writes, where a message does not say; None
    for whom the configuration names. surroundings: see docs/adr/0024, not stable.
    Raises MissingRepositoryError, StoreError, StoreFormatError or DamagedStoreError.
    """
    folder = argument.folder(path)
    inside = os.path.join(folder, FOLDER)
    if os.path.isdir(inside):
        folder = inside
    return Logbook(folder, author=author, surroundings=surroundings)


def init(
    path: str | PathLike[str],
    *,
    author: str | None = None,
    surroundings: Surroundings | None = None,
) -> Logbook:
    """Make a repository in the `.msglog` of a folder, which is made if need be, and open it.

    Where there is one already, it is opened: to say so twice is harmless.
    """
    folder = os.path.join(argument.folder(path), FOLDER)
    store = os.path.join(folder, STORE_NAME)
    if not os.path.exists(store):
        try:
            made = Repository.create(folder, identity=os.urandom(REPOSITORY_ID_BYTES), time=now())
            made.close()
        except StoreError:
            if not os.path.exists(store):  # else another process was first
                raise
        except OSError as error:
            raise local_error(error) from error
    return Logbook(folder, author=author, surroundings=surroundings)


def clone(
    url: str,
    path: str | PathLike[str] | None = None,
    *,
    since: date | str | None = None,
    logs: Sequence[str] = (),
    author: str | None = None,
    surroundings: Surroundings | None = None,
) -> Logbook:
    """Make a repository of all that is at a URL, with it as the remote `origin`, and open it.

    path: the folder that it will lie in; None for one in the current folder, named after the URL.
    since: only what was written then or later. logs: only these, by names or patterns.
    Raises as `Logbook.pull` does, and CloneFolderError where a repository is already.
    """
    if surroundings is None:
        from msglog.surroundings import find_surroundings  # noqa: PLC0415 - only for this

        surroundings = find_surroundings()
    folder = surroundings.clone(
        argument.address(url, "a URL"),
        None if path is None else argument.folder(path),
        since=_since(since),
        logs=argument.texts(logs, "the logs"),
    )
    return Logbook(folder, author=author, surroundings=surroundings)


def _named(remote: str, logs: Sequence[str]) -> tuple[str, Sequence[str]]:
    return argument.address(remote, "a remote"), argument.texts(logs, "the logs")


def _drafts(given: Iterable[Draft | str]) -> list[Draft]:
    if isinstance(given, str):
        raise argument.ArgumentTypeError(
            "the drafts", given, "a list is wanted", hint="Use `add` for one message."
        )
    drafts: list[Draft] = []
    for one in argument.several(given, "the drafts"):
        if isinstance(one, str):
            drafts.append(Draft(one))
        elif isinstance(one, Draft):
            drafts.append(one)
        else:
            raise argument.ArgumentTypeError(
                "one of the drafts", one, "a msglog.Draft or a text is wanted"
            )
    return drafts


def _meta(given: Mapping[str, MetaValue]) -> dict[str, MetaValue]:
    try:
        return dict(given)
    except (TypeError, ValueError):
        raise argument.ArgumentTypeError("meta", given, "a dict is wanted") from None


def _since(when: date | str | None) -> str | None:
    """Return a time as `--since` takes it."""
    if when is None or isinstance(when, str):
        return when
    from msglog.timestamp import rfc3339  # noqa: PLC0415 - few have a view

    moment = moment_of(when)
    return rfc3339(moment.time, moment.offset)


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
        return parse_object_id(argument.text(reply_to, "an id").lower())
    except ObjectIdError:
        from msglog.selection import find_message  # noqa: PLC0415 - only for abbreviations

        return key_object_id(find_message(repository, reply_to))


def _entries(came: Generator[tuple[str, Key, bytes]]) -> Generator[Entry]:
    """Yield what came, after something for nobody: what has not begun lets go of nothing."""
    try:
        yield cast("Entry", None)
        for log, key, data in came:
            yield read_entry(key, data, log)
    finally:
        came.close()
