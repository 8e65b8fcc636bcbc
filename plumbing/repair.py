"""`verify --repair`: mends a damaged repository from what is left of it, and from a remote.

Nothing is given up unless that is asked for: a log is what it was, or stays as it is.
"""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, MsglogError
from msglog.index.change import build
from msglog.index.salvage import is_below, salvage
from msglog.inspection import Inspection, message_fault
from msglog.key import FIRST_KEY, key_object_id, key_time
from msglog.layout import STORE_NAME
from msglog.message_json import rfc3339, to_json
from msglog.refname import DEFAULT_LOG, LOG_PREFIX, REMOTE_PREFIX, log_ref
from msglog.store.sqlite_link import DamagedStoreError
from msglog.store.store import (
    REPOSITORY_ID_BYTES,
    Commit,
    Committed,
    ForeignStoreError,
    Ref,
    RefUpdate,
    StoreBusyError,
)
from msglog.view import scope_of
from plumbing.local_repository import open_repository
from plumbing.opening import find_target, load_config, open_session
from plumbing.refetching import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.config import Config
    from msglog.index.change import Path
    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context
    from plumbing.session import Session
    from plumbing.verify import Display

LOST_AND_FOUND = "lost-found"
"""The log for messages of which it is not certain that they belong to a log given up in part."""

_AT_ONCE = 256
_ATTEMPTS = 20
_PAST = 1000
_SUFFIX_BYTES = 4
_REASON = "repair"
_EVERYTHING: Path = (0, b"")


def repair(context: Context, remote: str, *, give_up: bool, display: Display | None = None) -> None:
    """Mend the repository of a context, and say what was done; remote: a name or URL, or "".

    display: where it is shown how far that has come.
    Raises NoRepositoryError, StoreError, and what connecting to the remote raises; then nothing is
    worse than before.
    """
    report = _Report(context, display)
    if _is_unsound(context):
        _mend_store(context, report)
    try:
        _mend_logs(context, remote, report, give_up=give_up)
    except DamagedStoreError:  # such as a row that SQLite cannot give out at all
        _mend_store(context, report)
        _mend_logs(context, remote, report, give_up=give_up)


def _mend_logs(context: Context, remote: str, report: _Report, *, give_up: bool) -> None:
    repository = open_repository(context)
    try:
        if not remote:
            Mending(repository, context, report, None, give_up=give_up).run()
            return
        config = load_config(context)
        target = find_target(config, remote, context, context.repository_directory)
        session = open_session(target, context, config)
        try:
            source = _source(session, config, remote)
            Mending(repository, context, report, source, give_up=give_up).run()
        finally:
            session.close()
    finally:
        repository.close()


def _source(session: Session, config: Config, remote: str) -> Source:
    """Return the source that a remote is; what it has from before our views is not missing here."""
    known = config.remotes()
    if remote in known:
        scope = scope_of(known[remote])
        return Source(session, scope.view, scope.has)
    views = [scope_of(one).view for one in known.values()]
    return Source(session, min(views, default=FIRST_KEY))


class _Report:
    """Says what was done, in a line each."""

    def __init__(self, context: Context, display: Display | None = None) -> None:
        self._context = context
        self._display = display

    def count(self, done: int, total: int | None = None) -> None:
        """Say how many messages of how many were looked at, fetched or put back."""
        if self._display is not None:
            self._display.update(done, total)

    def say(self, what: str, *, ref: str | None = None) -> None:
        """Say what was done, to a ref or to the whole store."""
        if self._display is not None:
            self._display.hide()
        if self._context.json:
            self._context.write(to_json({"ref": ref, "repair": what}))
        else:
            self._context.write(f"{'' if ref is None else f'{ref}: '}{what}\n")


# The file.


def _mend_store(context: Context, report: _Report) -> None:
    """Make a sound file of one that is not, and keep the damaged one aside."""
    from msglog.store.sqlite_salvage import salvage as salvage_store  # noqa: PLC0415 - seldom

    path = os.path.join(str(context.repository_directory), STORE_NAME)
    suffix = context.random(_SUFFIX_BYTES).hex()
    aside = f"{path}-damaged-{suffix}"
    doubts = salvage_store(
        path,
        aside,
        suffix=suffix,
        identity=context.random(REPOSITORY_ID_BYTES),
        time=context.now(),
        counted=report.count,
    )
    report.say(f"made a new file of what could be read; the damaged one is {aside}")
    for doubt in doubts:
        report.say(doubt)


def _is_unsound(context: Context) -> bool:
    try:
        repository = open_repository(context)
    except (IntegrityError, ForeignStoreError):
        return True
    try:
        repository.check_writable()
        repository.store.refs()
        return next(iter(repository.store.faults()), None) is not None
    except IntegrityError:
        return True
    finally:
        repository.close()


# The logs.


class Mending:
    """Mends the refs of a repository whose file is sound.

    source: who may have what is missing. give_up: leave out of a log what nobody has.
    """

    def __init__(
        self,
        repository: Repository,
        context: Context,
        report: _Report,
        source: Source | None,
        *,
        give_up: bool,
    ) -> None:
        self._repository = repository
        self._store = repository.store
        self._context = context
        self._report = report
        self._source = source
        self._give_up = give_up
        self._is_kept_aside = False

    def run(self) -> None:
        """Mend the logs, then forget what is believed of remotes where that is damaged."""
        if not self._store.refs(LOG_PREFIX):
            self._start_anew()
        for name in self._store.refs(LOG_PREFIX):
            for _ in range(_ATTEMPTS):
                if self._mend(name):
                    break
            else:
                raise StoreBusyError(
                    f"{self._repository.folder} is busy", why="other writers were always first"
                )
        for name, ref in self._store.refs(REMOTE_PREFIX).items():
            if self._is_damaged(name, ref):
                self._point(name, ref, None)
                self._report.say("forgotten; the next fetch finds out anew", ref=name)

    def _start_anew(self) -> None:
        """Take the logs of the remote where none could be read, and find what else there is."""
        self._repository.create_log(DEFAULT_LOG, time=self._context.now())
        what = "" if self._source else "; `msglog pull` brings those that a remote has"
        self._report.say(f"no log could be read{what}")
        source = self._source
        for log in source.logs if source else ():
            assert source is not None
            if log != DEFAULT_LOG:
                self._repository.create_log(log, time=self._context.now())
            for messages in source.fetch(log, [_EVERYTHING], ()):
                self._repository.add(log, messages, time=self._context.now(), reason=_REASON)
            count = self._repository.log(log).count
            self._report.say(f"fetched {_messages(count)} again", ref=log_ref(log))
        held = set(self._store.held_keys()) - self._keys_of_others("")
        held -= self._bad(held)
        if held:
            self._store_found(held)

    def _is_damaged(self, name: str, ref: Ref) -> bool:
        found = Inspection(self._repository).check_ref(name, ref, remember=False)
        return next(found, None) is not None

    def _mend(self, name: str) -> bool:
        """Mend one log; return False if it was changed meanwhile."""
        ref = self._store.ref(name)
        if ref is None:
            return True
        log = name.removeprefix(LOG_PREFIX)
        keys, gaps = salvage(self._store.find_nodes, ref.root)
        bad = self._bad(keys)
        if not gaps and not bad:
            return ref.count == len(keys) or self._rewrite(name, ref, keys, "counted again")
        theirs = self._fetch(log, gaps, bad)
        if gaps:
            found = self._complete(name, ref, keys, gaps, theirs)
            if found is None:
                return self._give_up_gaps(name, ref, keys | theirs, gaps)
            keys = found
            self._store.commit(
                Commit(self._context.now(), _REASON, nodes=build(sorted(keys)).nodes)
            )
            what = f"made {len(gaps)} index {'node' if len(gaps) == 1 else 'nodes'} anew"
            self._report.say(what, ref=name)
            bad = self._bad(keys)
            if bad - theirs and self._source is not None:
                self._fetch(log, (), bad)
                bad = self._bad(keys)
        left = self._bad(bad)
        if len(left) < len(bad) or theirs:
            self._report.say(f"fetched {_messages(len(theirs))} again", ref=name)
        if left:
            return self._give_up_messages(name, ref, keys, left)
        return True

    def _bad(self, keys: Iterable[Key]) -> set[Key]:
        """Return the keys whose messages are missing or damaged."""
        found: set[Key] = set()
        ordered = sorted(keys)
        for start in range(0, len(ordered), _AT_ONCE):
            part = ordered[start : start + _AT_ONCE]
            data = self._store.find_messages(part)
            found.update([key for key in part if message_fault(key, data.get(key))])
            self._report.count(start + len(part), len(ordered))
        return found

    def _fetch(self, log: str, gaps: Iterable[Path], bad: set[Key]) -> set[Key]:
        """Fetch what the source has of what is missing into the store; return the keys."""
        fetched: set[Key] = set()
        if self._source is None:
            return fetched
        for messages in self._source.fetch(log, list(gaps), sorted(bad)):
            known = self._bad(messages)
            new = {key: data for key, data in messages.items() if key in known}
            if new:
                self._store.commit(Commit(self._context.now(), _REASON, messages=new))
            fetched.update(messages)
            self._report.count(len(fetched), len(bad) or None)
        return fetched

    def _complete(
        self, name: str, ref: Ref, keys: set[Key], gaps: list[Path], theirs: set[Key]
    ) -> set[Key] | None:
        """Return the keys of a damaged index, or None if they cannot be told for certain.

        They are certain if their index has the root that the ref has.
        """
        past: set[Key] = set()
        visited = {ref.root}
        for entry in self._store.reflog(name, _PAST):
            past |= salvage(self._store.find_nodes, entry.root, visited)[0]
        past = keys | {key for key in past if is_below(key, gaps)}
        held = {key for key in self._store.held_keys() if is_below(key, gaps)}
        there = {key for key in theirs if is_below(key, gaps)}
        others = self._keys_of_others(name)
        guesses = (past, past | there, past | (held - others), past | held, past | held | there)
        for guess in guesses:
            if len(guess) == ref.count and build(sorted(guess)).root == ref.root:
                return guess
        for guess in guesses:  # the count may be what is wrong
            if len(guess) != ref.count and build(sorted(guess)).root == ref.root:
                return guess
        return None

    def _keys_of_others(self, name: str) -> set[Key]:
        visited: set[bytes] = set()
        found: set[Key] = set()
        for other, ref in self._store.refs(LOG_PREFIX).items():
            if other != name:
                found |= salvage(self._store.find_nodes, ref.root, visited)[0]  # type: ignore[arg-type]
        return found

    # What cannot be mended.

    def _give_up_messages(self, name: str, ref: Ref, keys: set[Key], lost: set[Key]) -> bool:
        if not self._give_up:
            who = "this remote does not have" if self._source else "a remote may still have"
            self._report.say(f"left damaged: {_messages(len(lost))}, which {who}", ref=name)
            return True
        self._keep_aside()
        for key in sorted(lost):
            when = rfc3339(key_time(key), 0)
            self._report.say(f"lost message {key_object_id(key).hex()} of {when}", ref=name)
        return self._rewrite(name, ref, keys - lost, f"gave up {_messages(len(lost))}")

    def _give_up_gaps(self, name: str, ref: Ref, keys: set[Key], gaps: list[Path]) -> bool:
        missing = ref.count - len(keys)
        if not self._give_up:
            what = f"about {_messages(max(missing, 0))} cannot be told: index nodes are missing"
            self._report.say(what, ref=name)
            return True
        self._keep_aside()
        kept = keys - self._bad(keys)
        others = self._keys_of_others(name)
        doubtful = {
            key
            for key in self._store.held_keys()
            if is_below(key, gaps) and key not in kept and key not in others
        }
        doubtful -= self._bad(doubtful)
        what = f"gave up what could not be told: {len(kept)} of {_messages(ref.count)} are left"
        if not self._rewrite(name, ref, kept, what):
            return False
        if doubtful:
            self._store_found(doubtful)
        return True

    def _store_found(self, keys: set[Key]) -> None:
        name = log_ref(LOST_AND_FOUND)
        old = self._store.ref(name)
        before = salvage(self._store.find_nodes, old.root)[0] if old is not None else set()
        index = build(sorted(before | keys))
        update = RefUpdate(name, None if old is None else old.root, Ref(index.root, index.count))
        commit = Commit(self._context.now(), _REASON, nodes=index.nodes, refs=[update])
        if isinstance(self._store.commit(commit), Committed):
            what = f"put here, since their log is not certain: {_messages(len(keys))}"
            self._report.say(what, ref=name)

    def _rewrite(self, name: str, ref: Ref, keys: set[Key], what: str) -> bool:
        """Point a log to the index of these keys, and forget what was agreed about more."""
        index = build(sorted(keys))
        new = Ref(index.root, index.count)
        commit = Commit(
            self._context.now(), _REASON, nodes=index.nodes, refs=[RefUpdate(name, ref.root, new)]
        )
        if not isinstance(self._store.commit(commit), Committed):
            return False
        log = name.removeprefix(LOG_PREFIX)
        if index.root != ref.root:
            # Whoever has what was given up is then asked for it again.
            self._store.forget_agreed(log)
            for tracking, known in self._store.refs(REMOTE_PREFIX).items():
                if tracking.removeprefix(REMOTE_PREFIX).partition("/")[2] == log:
                    self._point(tracking, known, None)
        self._report.say(what, ref=name)
        return True

    def _point(self, name: str, old: Ref, new: Ref | None) -> None:
        update = RefUpdate(name, old.root, new)
        self._store.commit(Commit(self._context.now(), _REASON, refs=[update]))

    def _keep_aside(self) -> None:
        """Keep a copy of the store as it is, before anything is given up."""
        if self._is_kept_aside:
            return
        self._is_kept_aside = True
        suffix = self._context.random(_SUFFIX_BYTES).hex()
        aside = os.path.join(self._repository.folder, f"{STORE_NAME}-before-{suffix}")
        try:
            self._store.snapshot(aside)
        except MsglogError as error:
            raise type(error)(
                "nothing was given up", why=f"no copy could be made first: {error.what}"
            ) from error
        self._report.say(f"a copy of the store as it was is {aside}")


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"
