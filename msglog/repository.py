"""A repository: named logs over a store, and the operations that keep them whole."""

from __future__ import annotations

import os
from itertools import chain, islice, starmap

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.index.change import insert, merge
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import difference, divide, iterate, iterate_below
from msglog.key import FIRST_KEY, LAST_KEY
from msglog.layout import INCOMING_NAME, STORE_NAME
from msglog.objectid import SHORTEST_ABBREVIATION, parse_abbreviation
from msglog.refname import DEFAULT_LOG, LOG_PREFIX, REMOTE_PREFIX, check_log_name, log_ref
from msglog.sqlite_file import LocksError
from msglog.store.sqlite import SqliteStore
from msglog.store.store import (
    Commit,
    Committed,
    Lost,
    MissingObjectError,
    Ref,
    RefUpdate,
    StoreBusyError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from msglog.errors import LocalError
    from msglog.index.change import Index
    from msglog.index.node import NodeReader
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.store import (
        Agreement,
        HeldBack,
        Quota,
        Receipt,
        Store,
    )

_READ_AT_ONCE = 256
_READ_AHEAD_BYTES = 1 << 20
_ATTEMPTS = 100
_EMPTY = Ref(EMPTY_ROOT, 0)


class UnknownLogError(UsageError):
    """A log was named that the repository does not have; known: those that it has.

    make: whether it would help to make it. see: what to do where no known name is likely either.
    """

    def __init__(
        self, log: str, known: Sequence[str] = (), *, make: bool = True, see: str = ""
    ) -> None:
        from msglog.guess import SEE_LOGS, advice  # noqa: PLC0415 - only where it was mistyped

        new = f"make it with `msglog logs new {log}`" if make else ""
        hint = advice(log, known, make=new, see=see or SEE_LOGS)
        super().__init__(f"there is no log {log!r}", hint=hint)
        self.log = log


class MissingRepositoryError(StoreError):
    """There is no repository in a folder."""


class LogExistsError(UsageError):
    """A log was to be made under a name that is taken."""


@dataclass(frozen=True, slots=True)
class Log:
    """One log as it was when it was looked at."""

    name: str
    root: ObjectId
    count: int


@dataclass(frozen=True, slots=True)
class Insertion:
    """Keys to be put into the log of a ref, which is made if it is not there.

    computed: for a ref that points to its first item, its second is what it will point to, so
    that a result that was computed already is not computed again.
    """

    ref: str
    keys: Sequence[Key]
    computed: tuple[ObjectId, Index] | None = None


class Repository:
    """Logs in one store. The folder is where the store lies, for messages to people.

    notices: what opening it has to tell people, each on a line.
    read_only: what a change raises, if it is known from the start that there can be none.
    follow: is given the keys that the look-up by id is to learn, and how many they are if that is
    known, and gives them back as they are learned.
    """

    def __init__(
        self, store: Store, folder: str | PathLike[str], *, read_only: LocalError | None = None
    ) -> None:
        self.store = store
        self.folder = os.fspath(folder)
        self.notices: list[str] = []
        self._read_only = read_only
        self.follow: Callable[[Iterator[Key], int | None], Iterator[Key]] | None = None

    @property
    def path(self) -> Path:
        """The folder as a path."""
        from pathlib import Path  # noqa: PLC0415 - takes longer to import than a message to add

        return Path(self.folder)

    @classmethod
    def create(cls, folder: str | PathLike[str], *, identity: bytes, time: int) -> Repository:
        """Make a repository in a folder, which is made readable by its owner alone.

        It has the log `main`. identity: 16 random bytes. time: microseconds since 1970 UTC.
        """
        from msglog.folder import make  # noqa: PLC0415 - only for this

        make(folder, mode=0o700)
        path = os.path.join(folder, STORE_NAME)
        try:
            store = SqliteStore.create(path, identity=identity, first=first_commit(time))
        except LocksError:  # it is made all the same: until then nobody else knows the file
            return cls.open(folder)
        return cls(store, folder)

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Repository:
        """Open the repository in a folder; raises StoreError and its kin.

        A folder that would be that of a repository, if its account had folders, means that one.
        What waits there in `incoming` is taken in. Where locks do not work, nothing but additions
        can be written, which wait there, and is read with the others; see `msglog.store.waiting`.
        One that this process may not write is read: see `msglog.store.read_only`.
        """
        path = os.path.join(folder, STORE_NAME)
        try:
            if _is_read_only(folder, path):
                from msglog.store.read_only import open_read_only  # noqa: PLC0415 - few need it

                reading, notices = open_read_only(path)
                repository = cls(reading, folder, read_only=reading.error)
                repository.notices = notices
                return repository
            repository = cls(SqliteStore.open(path), folder)
        except LocksError as error:
            from msglog.store.waiting import open_waiting  # noqa: PLC0415 - few need it

            store, notices = open_waiting(path, error)
            repository = cls(store, folder)
            repository.notices = notices
            return repository
        except StoreError:
            if os.path.lexists(path):
                raise
            elsewhere = _open_elsewhere(os.fspath(folder))
            if elsewhere is not None:
                return elsewhere
            if _may_be_there(path):
                raise
            raise MissingRepositoryError(
                f"there is no repository in {os.fspath(folder)}",
                hint="Make one with `msglog init`.",
            ) from None
        if os.path.isdir(os.path.join(folder, INCOMING_NAME)):
            from msglog.incoming import take_in  # noqa: PLC0415 - few have any

            repository.notices = take_in(repository)
        return repository

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def check_writable(self) -> None:
        """Raise ReadOnlyStoreError if nothing can be written; some other failures show later."""
        if self._read_only is not None:
            raise self._read_only

    def logs(self) -> list[Log]:
        """Return the logs by name."""
        return [
            Log(name.removeprefix(LOG_PREFIX), ref.root, ref.count)
            for name, ref in self.store.refs(LOG_PREFIX).items()
        ]

    def log(self, name: str, *, make: bool = True) -> Log:
        """Return one log; raises UnknownLogError or InvalidNameError.

        make: whether it would help to make it.
        """
        ref = self.store.ref(log_ref(check_log_name(name)))
        if ref is None:
            raise UnknownLogError(name, [log.name for log in self.logs()], make=make)
        return Log(name, ref.root, ref.count)

    def create_log(self, name: str, *, time: int) -> None:
        """Make an empty log; raises LogExistsError or InvalidNameError."""
        update = RefUpdate(log_ref(check_log_name(name)), None, _EMPTY)
        if isinstance(self.store.commit(Commit(time, "made", refs=[update])), Lost):
            raise LogExistsError(f"the log {name!r} exists already")

    def rename_log(self, old: str, new: str, *, time: int) -> None:
        """Give a log another name; raises UnknownLogError, LogExistsError or InvalidNameError."""
        log = self.log(old, make=False)
        updates = [
            RefUpdate(log_ref(check_log_name(new)), None, Ref(log.root, log.count)),
            RefUpdate(log_ref(old), log.root, None),
        ]
        result = self.store.commit(Commit(time, f"renamed from {old}", refs=updates))
        if isinstance(result, Lost):
            if result.ref == log_ref(new):
                raise LogExistsError(f"the log {new!r} exists already")
            raise _busy(self.folder)

    def delete_log(self, name: str, *, time: int) -> Log:
        """Forget a log and return what it was; its messages stay until gc."""
        log = self.log(name, make=False)
        update = RefUpdate(log_ref(name), log.root, None)
        if isinstance(self.store.commit(Commit(time, "deleted", refs=[update])), Lost):
            raise _busy(self.folder)
        return log

    def add(
        self, log: str, messages: Mapping[Key, bytes], *, time: int, reason: str = "add"
    ) -> Log:
        """Put messages, encoded and under their keys, into an existing log, durably and at once."""
        self.log(log)
        (ref,) = self.commit(
            [Insertion(log_ref(log), sorted(messages))],
            messages=messages,
            time=time,
            reason=reason,
        )
        return Log(log, ref.root, ref.count)

    def commit(
        self,
        insertions: Sequence[Insertion],
        *,
        time: int,
        reason: str,
        messages: Mapping[Key, bytes] | None = None,
        nodes: Mapping[ObjectId, bytes] | None = None,
        receipt: Receipt | None = None,
        agreed: Sequence[Agreement] = (),
        held_back: Sequence[HeldBack] = (),
        point: Mapping[str, Ref] | None = None,
        quota: Quota | None = None,
    ) -> list[Ref]:
        """Insert keys into the logs of some refs, all durably or none; return the new refs.

        nodes: further nodes to keep. point: refs that are to point somewhere, whatever they were.
        quota: for the user of the receipt; raises OverQuotaError.
        When another writer is first, the keys are inserted again into what the log has become;
        raises StoreBusyError after a hundred such losses.
        """

        def attempt() -> list[Ref] | None:
            made = dict(nodes or {})
            updates: list[RefUpdate] = []
            results: list[Ref] = []
            for insertion in insertions:
                old = self.store.ref(insertion.ref)
                root = EMPTY_ROOT if old is None else old.root
                if insertion.computed is not None and insertion.computed[0] == root:
                    index = insertion.computed[1]
                else:
                    index = insert(overlay(self.store.read_nodes, made), root, insertion.keys)
                made.update(index.nodes)
                new = Ref(index.root, index.count)
                results.append(new)
                if old != new:
                    updates.append(RefUpdate(insertion.ref, None if old is None else old.root, new))
            for name, target in (point or {}).items():
                old = self.store.ref(name)
                if old != target:
                    updates.append(RefUpdate(name, None if old is None else old.root, target))
            change = Commit(
                time,
                reason,
                messages=messages or {},
                nodes=made,
                refs=updates,
                receipt=receipt,
                agreed=agreed,
                held_back=held_back,
                quota=quota,
            )
            return results if isinstance(self.store.commit(change), Committed) else None

        results = attempt()
        names = [*[insertion.ref for insertion in insertions], *(point or {})]
        for _ in range(_ATTEMPTS - 1):
            if results is not None:
                return results
            results = self.store.exclusively(names, attempt)
        if results is None:
            raise _busy(self.folder)
        return results

    def merge_into(self, log: str, root: ObjectId, *, time: int, reason: str) -> Log:
        """Put all that an index of this store has into a log, which is made if need be."""
        name = log_ref(check_log_name(log))
        ref = self.merge_into_ref(name, root, time=time, reason=reason)
        return Log(log, ref.root, ref.count)

    def merge_into_ref(self, name: str, root: ObjectId, *, time: int, reason: str) -> Ref:
        """Put all that an index of this store has into the log of a ref."""
        for _ in range(_ATTEMPTS):
            old = self.store.ref(name)
            index = merge(self.store.read_nodes, EMPTY_ROOT if old is None else old.root, root)
            new = Ref(index.root, index.count)
            if old == new:
                return new
            update = RefUpdate(name, None if old is None else old.root, new)
            change = Commit(time, reason, nodes=index.nodes, refs=[update])
            if isinstance(self.store.commit(change), Committed):
                return new
        raise _busy(self.folder)

    def keys(
        self, root: ObjectId, *, first: Key = FIRST_KEY, last: Key = LAST_KEY, reverse: bool = False
    ) -> Iterator[Key]:
        """Yield the keys of an index between two keys, in order or in reverse."""
        return iterate(self.store.read_nodes, root, first=first, last=last, reverse=reverse)

    def divide(
        self, root: ObjectId, *, size: int, first: Key, last: Key, reverse: bool
    ) -> Iterator[list[ObjectId]]:
        """Yield an index in pieces for `keys_below`, of so many keys or less."""
        read = self.store.read_nodes
        return divide(read, root, size=size, first=first, last=last, reverse=reverse)

    def keys_below(
        self, subtrees: Sequence[ObjectId], *, first: Key, last: Key, reverse: bool
    ) -> Iterator[Key]:
        """Yield the keys of a piece of an index as `keys` does."""
        read = self.store.read_nodes
        return iterate_below(read, subtrees, first=first, last=last, reverse=reverse)

    def difference(
        self, base: ObjectId, target: ObjectId, *, reverse: bool = False
    ) -> Iterator[Key]:
        """Yield the keys in target that are not in base, in order or in reverse."""
        return difference(self.store.read_nodes, base, target, reverse=reverse)

    def messages(self, keys: Iterator[Key]) -> Iterator[tuple[Key, bytes]]:
        """Yield the objects of keys, which ascend or descend, in their order and checked.

        Reads some ahead, first few and then more, but never many bytes.
        """
        return chain.from_iterable(starmap(zip, self.parts(keys)))

    def parts(
        self, keys: Iterator[Key], *, at_first: int = 1
    ) -> Iterator[tuple[list[Key], list[bytes]]]:
        """Yield the objects of keys as `messages` does, but as many at a time as were read.

        at_first: how many to read at first, if they are surely wanted.
        """
        size = min(at_first, _READ_AT_ONCE)
        while batch := list(islice(keys, size)):
            done = 0
            while done < len(batch):
                part = batch[done:]
                beginning = self.store.read_some(part, _READ_AHEAD_BYTES)
                done += len(beginning)
                yield part[: len(beginning)], beginning
            size = min(2 * size, _READ_AT_ONCE)

    def find(self, abbreviation: str, *, limit: int = 16) -> list[Key]:
        """Return the messages below all refs whose ids begin with these 4 to 64 hex digits.

        The look-up by id first learns what the refs have got since it was last asked. Raises
        ObjectIdError for what cannot be the beginning of an id.
        """
        digits = parse_abbreviation(abbreviation)
        for label, known, ref in self._to_look_up():
            self._learn(label, known, ref)
        return self.store.look_up(digits, limit)

    def not_looked_up(self, limit: int) -> list[Key] | None:
        """Return the keys that the look-up by id has yet to learn, None if they are over limit."""
        found: list[Key] = []
        for _, known, ref in self._to_look_up():
            try:
                found += islice(self.difference(known, ref.root), limit + 1 - len(found))
            except MissingObjectError:  # as in `_learn`
                return None
            if len(found) > limit:
                return None
        return found

    def _to_look_up(self) -> Iterator[tuple[str, ObjectId, Ref]]:
        """Yield what the look-up by id lags behind: its label, the root it knows, and the ref."""
        refs = self.store.refs()
        for name, ref in refs.items():  # logs come before tracking refs
            label = name.removeprefix(LOG_PREFIX)
            known = self.store.indexed(label)
            if known == EMPTY_ROOT and name.startswith(REMOTE_PREFIX):
                own = refs.get(log_ref(name.removeprefix(REMOTE_PREFIX).partition("/")[2]), _EMPTY)
                known = own.root
            if known != ref.root:
                yield label, known, ref

    def _learn(self, label: str, known: ObjectId, ref: Ref) -> None:
        """Have the look-up by id learn what it does not know of an index."""
        follow = self.follow or _as_they_are
        try:
            total = ref.count if known == EMPTY_ROOT else None
            keys = follow(self.difference(known, ref.root), total)
            self.store.extend_index(label, ref.root, keys)
        except MissingObjectError:
            # Another look-up has gone on from what was known, and gc has removed that since; or it
            # was gone when somebody who had slept for long took note of it.
            self.store.extend_index(label, ref.root, follow(self.keys(ref.root), ref.count))

    def abbreviation_length(self) -> int:
        """Return how many hex digits tell all ids here apart, by git's rule of thumb."""
        count = sum(log.count for log in self.logs())
        return max(SHORTEST_ABBREVIATION, (count.bit_length() + 1) // 2 + 1)


def first_commit(time: int) -> Commit:
    """Return what a new repository begins with: the empty log `main`."""
    return Commit(time, "made", refs=[RefUpdate(log_ref(DEFAULT_LOG), None, _EMPTY)])


def _as_they_are(keys: Iterator[Key], _: int | None) -> Iterator[Key]:
    return keys


def _is_read_only(folder: str | PathLike[str], path: str) -> bool:
    """Tell whether there is a store that this process may not write, or not beside."""
    may_write = os.access(path, os.W_OK) and os.access(folder, os.W_OK)
    return not may_write and os.path.exists(path)


def _may_be_there(path: str) -> bool:
    """Tell whether a file is hidden from us rather than missing."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _open_elsewhere(folder: str) -> Repository | None:
    """Open the repository that a folder stands for, of an account without folders, or None."""
    from msglog.account.address import account_above  # noqa: PLC0415 - where nothing is found

    found = account_above(folder)
    if found is None:
        return None
    from msglog.postgres_driver import import_driver  # noqa: PLC0415 - only for this

    import_driver()
    from msglog.account.postgres_account import PostgresAccount  # noqa: PLC0415 - costly

    account, name = found
    return PostgresAccount.open_folder(account).open_repository(name, shared=False)


def overlay(read: NodeReader, made: Mapping[ObjectId, bytes]) -> NodeReader:
    """Return a reader that knows nodes which are not stored yet."""

    def read_both(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        found = {oid: made[oid] for oid in ids if oid in made}
        missing = [oid for oid in ids if oid not in found]
        if missing:
            found.update(read(missing))
        return found

    return read_both


def _busy(path: str) -> StoreBusyError:
    return StoreBusyError(
        f"{path} is busy", why="other writers were always first", hint="Try again in a moment."
    )
