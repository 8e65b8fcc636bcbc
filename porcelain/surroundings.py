"""What the process is to programs that `import msglog`: the same as to the commands.

msglog finds this by the entry point `msglog.surroundings`, so that it imports nothing of it.
"""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from contextlib import contextmanager
from functools import partial
from io import BytesIO

from msglog.annotation import TYPE_CHECKING
from msglog.comparison import Refused
from msglog.dataclass import replace
from msglog.errors import local_error
from msglog.key import key_object_id
from msglog.repository import Repository
from msglog.surroundings import Exchanged
from porcelain import clone
from porcelain.authorship import default_author, settings_if_any
from porcelain.cli import make_context
from porcelain.exchange import Exchange, exchange
from porcelain.giving import give
from porcelain.places import cache_directory
from porcelain.remote import add_remote, remove_remote
from porcelain.settings import load_settings
from porcelain.taking import take
from porcelain.watch import NothingToPullError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from typing import Any, BinaryIO

    from msglog.config import Config, Remote
    from msglog.errors import MsglogError
    from msglog.key import Key
    from msglog.store.store import Refusal
    from plumbing.context import Context
    from plumbing.opening import Target


@contextmanager
def _explained() -> Iterator[None]:
    """Raise what the system refuses as LocalError, as the commands say it."""
    try:
        yield
    except OSError as error:
        raise local_error(error) from error


class ProcessSurroundings:
    """The environment, the configuration files and the transports, as `msglog` itself uses them.

    environment: None for the process's, as it is at each call. Nobody is asked anything, and
    nothing is printed.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment

    @_explained()
    def author(self, folder: str) -> str:
        """Return who writes, where nobody is named."""
        context = self._context(folder)
        return default_author(context, settings_if_any(context, folder))

    @_explained()
    def remotes(self, folder: str) -> dict[str, Remote]:
        """Return the remotes by name."""
        return load_settings(self._context(folder), folder).remotes()

    @_explained()
    def add_remote(self, folder: str, name: str, url: str) -> None:
        """Name a remote."""
        add_remote(name, url, self._context(folder), folder)

    @_explained()
    def remove_remote(self, folder: str, name: str) -> None:
        """Forget a remote and what was known of it."""
        repository = Repository.open(folder)
        try:
            remove_remote(name, self._context(folder), repository)
        finally:
            repository.close()

    def caches(self) -> str:
        """Return the folder for what can be made anew."""
        return cache_directory(self._context(None))

    def pull(
        self,
        folder: str,
        remote: str,
        logs: Sequence[str],
        *,
        since: str | None = None,
        whole: bool = False,
    ) -> list[Exchanged]:
        """Take what a remote has and we lack into our logs."""
        asked = _asked(remote, logs, since=since, whole=whole)
        return self._exchange(folder, asked, lambda one: take(one, logs, pull=True))

    def fetch(
        self,
        folder: str,
        remote: str,
        logs: Sequence[str],
        *,
        since: str | None = None,
        whole: bool = False,
    ) -> list[Exchanged]:
        """Take what a remote has and we lack, and leave our logs as they are."""
        asked = _asked(remote, logs, since=since, whole=whole)
        return self._exchange(folder, asked, lambda one: take(one, logs, pull=False))

    def push(self, folder: str, remote: str, logs: Sequence[str]) -> list[Exchanged]:
        """Give a remote what we have and it lacks."""
        return self._exchange(folder, _asked(remote, logs), lambda one: give(one, logs))

    def sync(self, folder: str, remote: str, logs: Sequence[str]) -> list[Exchanged]:
        """Pull and push, over one connection."""

        def both(one: Exchange) -> None:
            take(one, logs, pull=True)
            give(one, logs)

        return self._exchange(folder, _asked(remote, logs), both)

    def _exchange(
        self, folder: str, arguments: Namespace, work: Callable[[Exchange], object]
    ) -> list[Exchanged]:
        found: dict[str, Exchanged] = {}
        with (
            self._heard(folder) as context,
            exchange(arguments, context, partial(_Noted, found)) as one,
        ):
            work(one)
        return list(found.values())

    @_explained()
    def watch(
        self,
        folder: str,
        remote: str | None,
        logs: Sequence[str],
        *,
        newest: int,
        pull: bool,
        timeout: float | None,
        ended: Callable[[], bool],
    ) -> Generator[tuple[str, Key, bytes]]:
        """Begin to watch logs of a remote, or of the repository itself."""
        from porcelain import following  # noqa: PLC0415 - seldom wanted

        if remote is None:
            if pull:
                raise NothingToPullError("what is to be pulled comes from a remote")
            repository = Repository.open(folder)
            patience = following.Patience(timeout, ended)
            return following.follow_here(repository, logs, newest=newest, patience=patience)
        context = self._context(folder, _Log())
        asked, patience = _asked(remote, logs), following.Patience(timeout, ended)
        return following.follow_remote(asked, context, newest=newest, pull=pull, patience=patience)

    def clone(
        self,
        url: str,
        folder: str | None,
        *,
        since: str | None = None,
        logs: Sequence[str] = (),
    ) -> str:
        """Make a repository of all that is at a URL; return its folder."""
        made: list[Exchange] = []

        def begin(*place: Any) -> Exchange:  # noqa: ANN401 - whatever an Exchange takes
            made.append(_Noted({}, *place))
            return made[0]

        with self._heard(None) as context:
            given = Namespace(url=url, folder=folder, since=since, patterns=list(logs))
            clone.run(given, context, begin)
        return made[0].folder

    def _context(self, folder: str | None, stderr: BinaryIO | None = None) -> Context:
        environment = os.environ if self._environment is None else self._environment  # noqa: TID251
        streams = (BytesIO(), BytesIO(), BytesIO() if stderr is None else stderr)
        context = make_context(Namespace(), environment, *streams)
        return replace(context, repository_directory=folder)

    @contextmanager
    def _heard(self, folder: str | None) -> Iterator[Context]:
        """Give a context for a command, and log what it has to tell people."""
        said = BytesIO()
        try:
            with _explained():
                yield self._context(folder, said)
        finally:
            for line in said.getvalue().decode(errors="replace").splitlines():
                logging.getLogger("msglog").warning("%s", line.removeprefix("msglog: "))


def _asked(
    remote: str, logs: Sequence[str], *, since: str | None = None, whole: bool = False
) -> Namespace:
    """Return what a command line would have said."""
    return Namespace(remote=remote, logs=list(logs), since=since, whole=whole, dry_run=False)


class _Log(BytesIO):
    """A standard error whose lines go to the log of the program."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever BytesIO takes
        """Log what is said, a line each."""
        for line in bytes(data).decode(errors="replace").splitlines():
            logging.getLogger("msglog").warning("%s", line.removeprefix("msglog: "))
        return len(bytes(data))


class _Noted(Exchange):
    """An exchange whose reports are kept. found: what is known of each log so far."""

    def __init__(
        self,
        found: dict[str, Exchanged],
        context: Context,
        folder: str,
        config: Config,
        target: Target,
    ) -> None:
        super().__init__(context, folder, config, target)
        self._found = found

    def _note(self, log: str, **changes: Any) -> None:  # noqa: ANN401 - fields of Exchanged
        known = self._found.get(log) or Exchanged(self.target.shown, log)
        self._found[log] = replace(known, **changes)

    def report(self, log: str, fields: dict[str, object], text: str) -> None:  # noqa: ARG002
        """Keep what came of one log, after what came of it the other way."""
        before = self._found.get(log) or Exchanged("", log)
        numbers = {name: value for name, value in fields.items() if isinstance(value, int)}
        self._note(
            log,
            pulled=before.pulled + numbers.get("pulled", 0) + numbers.get("fetched", 0),
            pushed=before.pushed + numbers.get("pushed", 0),
            fetched_before=before.fetched_before + numbers.get("fetched_before", 0),
            lost=max(before.lost, numbers.get("lost", 0)),
            count=numbers.get("count"),
            root=fields.get("root"),
        )

    def fail(self, log: str, error: MsglogError) -> None:
        """Keep why a log was left out."""
        self._note(log, error=error)

    def warn_of_loss(self, log: str, lost: int, *, pushed: bool) -> None:
        """Say nothing: it is in what is returned."""

    def warn_of_refusals(self, log: str, refused: Sequence[Refusal]) -> None:
        """Keep what the remote refused."""
        self._note(
            log,
            refused=tuple(
                [Refused(key_object_id(one.key).hex(), one.code, one.why) for one in refused]
            ),
        )
