"""What the commands that talk to a remote share: whom they talk to, and how they report."""

from __future__ import annotations

from contextlib import closing, contextmanager

from msglog.annotation import TYPE_CHECKING
from msglog.config import UnknownRemoteError
from msglog.dataclass import dataclass, field, replace
from msglog.errors import NotAuthorisedError, UsageError
from msglog.key import FIRST_KEY, key_object_id
from msglog.refname import DEFAULT_REMOTE, REMOTE_PREFIX, check_log_name
from plumbing.opening import ask_nothing, find_target, open_session
from porcelain.discovery import find_repository
from porcelain.display import one_line, plural
from porcelain.places import repository_file
from porcelain.printing import note, tell_all
from porcelain.settings import load_settings

if TYPE_CHECKING:  # only rounds have one
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from msglog.config import Config
    from msglog.config import Remote as ConfiguredRemote
    from msglog.config_change import Setting
    from msglog.errors import MsglogError
    from msglog.key import Key
    from msglog.repository import Repository
    from msglog.store.store import Refusal
    from msglog.view import Scope
    from msglog.wire.request_line import EarlyRequest
    from plumbing.context import Context
    from plumbing.opening import Target
    from plumbing.session import Session
    from plumbing.tracking import Remote, Tracking
    from plumbing.transport.settings import HostKeyQuestion
    from porcelain.turnover import Turnover

WILDCARD = "*"
"""Stands for any characters in what means several logs, see `msglog.account.access`."""

_REFUSALS_SHOWN = 10
_REMOTES_NAMED = 5


def configure_exchange(parser: ArgumentParser) -> None:
    """Add the arguments that `fetch`, `pull`, `push` and `sync` have in common."""
    parser.add_argument(
        "remote", nargs="?", metavar="REMOTE", default=DEFAULT_REMOTE, help="a name or a URL"
    )
    parser.add_argument(
        "logs", nargs="*", metavar="LOG", help="which logs, or patterns such as 'lab/*' (all)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would travel, and change nothing"
    )


def configure_taking(parser: ArgumentParser) -> None:
    """Add the arguments with which `fetch` and `pull` say how much they take."""
    parser.add_argument(
        "--since", metavar="TIME", help="take what was written at TIME or later, from now on"
    )
    parser.add_argument("--whole", action="store_true", help="take older messages too, from now on")


def _go_on() -> None:
    """Stop nothing."""


@dataclass(slots=True)
class Exchange:
    """One command's dealings with one remote: the session is opened when it is first needed.

    heed: called after each step of the work that is whole; may raise, to stop there.
    reused: the session was open already when this round began.
    let_in: a session was opened before, at whatever time.
    scope: how much of the remote is shared; None for all of it.
    """

    context: Context
    folder: str
    config: Config
    target: Target
    statuses: list[int] = field(default_factory=list)
    heed: Callable[[], None] = _go_on
    reused: bool = False
    let_in: bool = False
    scope: Scope | None = None
    _turnover: Turnover | None = None
    _warned: dict[str, tuple[int, tuple[Refusal, ...]]] = field(default_factory=dict)
    _session: Session | None = None
    _remote: Remote | None = None
    _repository: Repository | None = None

    @property
    def repository(self) -> Repository:
        """Our repository, opened when it is first needed: that can be done while we wait."""
        if self._repository is None:
            from msglog.repository import Repository  # noqa: PLC0415 - as above

            self._repository = Repository.open(self.folder)
            tell_all(self.context, self._repository.notices)
        return self._repository

    def open(self, early: Callable[[], Sequence[EarlyRequest]] = ask_nothing) -> Session:
        """Ask over the session that is open, or connect and note which repository answers."""
        if self._session is not None:
            for request in early():
                self._session.send(request)
            return self._session
        session = open_session(
            self.target, self.context, self.config, early, ask_host_key=host_key_asker(self.context)
        )
        from plumbing.tracking import Remote  # noqa: PLC0415 - not before the server is waited for

        self._session = session
        self.let_in = True
        self._remote = Remote(self.target.name, session.greeting.repository)
        self._note_identity(session.greeting.repository.hex())
        return session

    def begin(self, turnover: Turnover) -> None:
        """Begin a round whose reports go to one sum."""
        self._turnover = turnover
        self.statuses.clear()
        self.reused = self._session is not None

    def tracking(self, log: str) -> Tracking:
        """Return what is remembered of one log of the remote; before `open` by what it was."""
        from plumbing.tracking import Remote, Tracking  # noqa: PLC0415 - as in `open`

        remote = self._remote or Remote(
            self.target.name, bytes.fromhex(self.target.repository or "00" * 16)
        )
        return Tracking(self.repository, remote, log, clock=self.context.now, view=self.view)

    @property
    def view(self) -> Key:
        """The first key of what is taken of the remote's logs."""
        return FIRST_KEY if self.scope is None else self.scope.view

    def chosen(self, logs: Sequence[str]) -> tuple[list[str], Callable[[str], bool] | None]:
        """Return those of some logs that are meant by their names, and what tells the others.

        Without any, all that are shared are meant; with names alone, no others (None).
        """
        if not logs:
            return [], self.shares
        if not any(WILDCARD in log for log in logs):
            return [*logs], None
        from plumbing.watched_logs import WatchedLogs  # noqa: PLC0415 - seldom

        meant = WatchedLogs(logs)
        return [log for log in logs if log in meant.names], meant.has

    def shares(self, log: str) -> bool:
        """Tell whether a log that was not named is shared with the remote."""
        return self.scope is None or self.scope.has(log)

    def _note_identity(self, identity: str) -> None:
        """Bind the remote's name to the repository that answered."""
        name, known = self.target.name, self.target.repository
        if not name or known == identity:
            return
        if known:
            from msglog.store.store import Commit, RefUpdate  # noqa: PLC0415 - seldom

            note(
                self.context,
                f"msglog: {one_line(name)} is another repository than before; "
                "what was known of it is forgotten",
            )
            gone = self.repository.store.refs(f"{REMOTE_PREFIX}{name}/")
            updates = [RefUpdate(ref, value.root, None) for ref, value in gone.items()]
            self.repository.store.commit(
                Commit(self.context.now(), "the remote is another repository", refs=updates)
            )
        from msglog.config_change import change  # noqa: PLC0415 - once a remote

        change(repository_file(self.folder), {f"remote.{name}.repository": identity})
        self.target = replace(self.target, repository=identity)

    def each(self, logs: Sequence[str], work: Callable[[str], None]) -> None:
        """Do the work for each log; what one log is refused does not stop the others.

        Any other error leaves the session in mid sentence and stops all: it is raised. So is a
        refusal that ends the session, or that comes in one which is not new.
        """
        for log in logs:
            try:
                work(log)
            except (NotAuthorisedError, UsageError) as error:
                ended = self._session is not None and self._session.failed
                if len(logs) == 1 or ended or self.reused:
                    raise
                self.fail(log, error)

    def fail(self, log: str, error: MsglogError) -> None:
        """Say why one log is left out, and remember the exit status for it."""
        self.statuses.append(error.exit_status)
        text = f"msglog: error: {self.target.shown} {log}: {error}\n"
        self.context.stderr.write(one_line(text[:-1]).encode() + b"\n")

    def report(self, log: str, fields: dict[str, object], text: str) -> None:
        """Print the summary of one log."""
        if self._turnover is not None:
            self._turnover.take(log, fields)
        elif self.context.json:
            from porcelain.message_json import to_json  # noqa: PLC0415 - only with --json

            self.context.write(to_json({"remote": self.target.shown, "log": log, **fields}))
        elif not self.context.quiet:
            self.context.write(f"{one_line(self.target.shown)} {log}: {text}\n")

    def warn_of_loss(self, log: str, lost: int, *, pushed: bool) -> None:
        """Say that the remote has lost messages, which is never to be passed over."""
        if lost:
            shown = one_line(self.target.shown)
            hint = "pushed again" if pushed else f"`msglog push {shown} {log}` gives them back"
            text = f"{shown} lost {plural(lost, 'message')} of {log}; {hint}"
            note(self.context, f"msglog: warning: {text}")

    def warn_of_refusals(self, log: str, refused: Sequence[Refusal]) -> None:
        """List what the remote refused, and remember the exit status for it."""
        if not refused:
            self._warned.pop(log, None)
            return
        from msglog.errors import RefusedError  # noqa: PLC0415 - only where something was refused

        self.statuses.append(RefusedError.exit_status)
        summary = len(refused), tuple(refused[:_REFUSALS_SHOWN])
        if self._warned.get(log) == summary:
            return
        self._warned[log] = summary
        for refusal in refused[:_REFUSALS_SHOWN]:
            oid = key_object_id(refusal.key).hex()[: self.repository.abbreviation_length()]
            note(self.context, f"msglog: {log} {oid} refused: {one_line(refusal.why)}")
        if len(refused) > _REFUSALS_SHOWN:
            rest = len(refused) - _REFUSALS_SHOWN
            note(self.context, f"msglog: and {rest} more; `msglog status` counts them")

    def status(self) -> int:
        """Return the exit status of the whole: the most serious there was."""
        return max(self.statuses, default=0)

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self.reused = False

    def end(self) -> None:
        """End the session, and close our repository."""
        try:
            self.close()
        finally:
            if self._repository is not None:
                self._repository.close()
                self._repository = None


@contextmanager
def exchange(
    arguments: Namespace,
    context: Context,
    begin: Callable[[Context, str, Config, Target], Exchange] = Exchange,
) -> Iterator[Exchange]:
    """Find the repository, and the remote that a command names.

    begin: makes what deals with it, where that is not to print.
    """
    for log in arguments.logs:
        _check_log(log)
    with exchange_with(arguments, context, begin) as one:
        yield one


def _check_log(log: str) -> None:
    """Raise InvalidNameError for what can be no log's name, and no pattern for some."""
    if WILDCARD not in log:
        check_log_name(log)
        return
    from msglog.account.access import check_pattern  # noqa: PLC0415 - seldom

    check_pattern(log)


@contextmanager
def exchange_with(
    arguments: Namespace,
    context: Context,
    begin: Callable[[Context, str, Config, Target], Exchange] = Exchange,
) -> Iterator[Exchange]:
    """Find the repository, and the remote that a command names, whatever logs it names."""
    folder = find_repository(context)
    config = load_settings(context, folder)
    try:
        target = find_target(config, arguments.remote, context, folder)
    except UnknownRemoteError as error:
        error.hint = _hint_at_name(arguments.remote, config, context) or error.hint
        raise
    one = begin(context, folder, config, target)
    remote = config.remotes().get(arguments.remote)
    option = getattr(arguments, "since", None) is not None or getattr(arguments, "whole", False)
    try:
        keep: Mapping[str, Setting | None] = {}
        if option or (remote is not None and (remote.since or remote.logs)):
            keep = _set_scope(one, arguments, remote, option=option)
        yield one
        if keep and not one.status():
            _change(one, keep)
    finally:
        one.end()


def _hint_at_name(name: str, config: Config, context: Context) -> str:
    """Say what to name where a log was named for a remote, or none where that has to be; or ""."""
    from porcelain.discovery import open_repository  # noqa: PLC0415 - only for this error

    remotes = config.remotes()
    if name == DEFAULT_REMOTE and remotes:
        return f"Name the one that you mean: {', '.join(list(remotes)[:_REMOTES_NAMED])}."
    with closing(open_repository(context)) as repository:
        if not remotes or name not in [log.name for log in repository.logs()]:
            return ""
    remote = DEFAULT_REMOTE if DEFAULT_REMOTE in remotes else next(iter(remotes))
    return f"A log stands behind its remote, as in `{remote} {name}`."


def _set_scope(
    one: Exchange, arguments: Namespace, remote: ConfiguredRemote | None, *, option: bool
) -> Mapping[str, Setting | None]:
    """Say how much is shared; return what to keep of that once it has been taken."""
    from msglog.view import scope_of  # noqa: PLC0415 - most remotes are shared whole
    from porcelain.scope import choose  # noqa: PLC0415 - as above

    if not option:
        one.scope = scope_of(remote)
        return {}
    chosen = choose(arguments, one.context, remote, one.repository)
    one.scope = chosen.scope
    if arguments.dry_run:
        return {}
    if chosen.before:
        _change(one, chosen.before)
    return chosen.keep


def _change(one: Exchange, settings: Mapping[str, Setting | None]) -> None:
    from msglog.config_change import change  # noqa: PLC0415 - seldom

    change(repository_file(one.folder), settings)


def host_key_asker(context: Context) -> Callable[[HostKeyQuestion], bool] | None:
    """Return how to ask about an unknown host key: on a terminal, else not at all."""
    if not (context.stdin_terminal and context.stderr_terminal):
        return None

    def ask_about(question: HostKeyQuestion) -> bool:
        from porcelain.question import ask  # noqa: PLC0415 - once for a host

        text = (
            f"The host {one_line(question.host)} is not known. Its {question.kind} key is\n"
            f"  {question.fingerprint}\n"
            "Type yes if that is the fingerprint that its administrator gave you: "
        )
        return ask(context, text).strip() == "yes"

    return ask_about
