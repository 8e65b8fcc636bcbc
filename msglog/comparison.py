"""How logs compare with what remotes held when they were last met, offline."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace
from msglog.key import FIRST_KEY, key_object_id, key_time
from msglog.layout import VIEWS_NAME
from msglog.refname import REMOTE_PREFIX, tracking_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from msglog.config import Remote
    from msglog.horizon import Horizon
    from msglog.key import Key
    from msglog.repository import Log, Repository

    Horizons = Mapping[str, Mapping[str, Horizon]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that a remote refused: its id, a code for programs, a text for people."""

    id: str
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a log compares with what a remote held when it was last met.

    ahead, behind: how many messages only the log, or only the remote, had; None: never met.
    Neither counts what the view leaves out. refused: what the remote does not take. here: there is
    such a log here. shared: the remote's configuration has the log. view: from where on the log was
    taken last, or is to be. older: how many messages from before that only the remote has; None
    where it is not known. wanted: the view that is set up now.
    """

    remote: str
    log: str
    ahead: int | None
    behind: int | None
    refused: tuple[Refused, ...] = ()
    here: bool = True
    shared: bool = True
    older: int | None = None
    view: Key = FIRST_KEY
    wanted: Key = FIRST_KEY

    @property
    def since(self) -> datetime | None:
        """From when on the log is taken, in UTC; None for all of it.

        Raises OverflowError for a year that datetime does not have.
        """
        if self.view == FIRST_KEY:
            return None
        from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - few remotes have a view

        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=key_time(self.view))


def compare_all(repository: Repository, remotes: Sequence[Remote]) -> list[Comparison]:
    """Compare each log with each remote, then those that only a remote has."""
    logs = repository.logs()
    horizons = known(repository, remotes)
    found = [one for log in logs for one in compare(repository, log, remotes, horizons)]
    return [*found, *only_remote(repository, logs, remotes)]


def known(repository: Repository, remotes: Sequence[Remote]) -> Horizons:
    """Return what was seen of the views of remotes, by the ids of their repositories."""
    if not os.path.exists(os.path.join(repository.folder, VIEWS_NAME)):
        return {}
    from msglog.horizon import known_horizons  # noqa: PLC0415 - few remotes have a view

    identities = [remote.repository for remote in remotes]
    return {identity: known_horizons(repository.folder, identity) for identity in identities}


def compare(
    repository: Repository, log: Log, remotes: Sequence[Remote], horizons: Horizons
) -> Iterator[Comparison]:
    """Compare a log with each remote, visiting only what differs."""
    for remote in remotes:
        ref = repository.store.ref(tracking_ref(remote.name, log.name))
        ahead = behind = None
        if ref is not None:
            ahead = sum(1 for _ in repository.difference(ref.root, log.root))
            behind = sum(1 for _ in repository.difference(log.root, ref.root))
        refused = _refused(repository, remote, log)
        comparison = Comparison(remote.name, log.name, ahead, behind, refused)
        horizon = horizons.get(remote.repository, {}).get(log.name)
        if remote.since or remote.logs or horizon is not None:
            comparison = _in_scope(comparison, remote, horizon)
        yield comparison


def _refused(repository: Repository, remote: Remote, log: Log) -> tuple[Refused, ...]:
    if not remote.repository:
        return ()
    held_back = repository.store.held_back(f"repository:{remote.repository}", log.name)
    return tuple([Refused(key_object_id(one.key).hex(), one.code, one.why) for one in held_back])


def _in_scope(comparison: Comparison, remote: Remote, horizon: Horizon | None) -> Comparison:
    """Return a comparison with how much of the log is shared with the remote."""
    from msglog.view import scope_of  # noqa: PLC0415 - few remotes are shared in part

    scope = scope_of(remote)
    return replace(
        comparison,
        shared=scope.has(comparison.log),
        view=scope.view if horizon is None else horizon.view,
        older=None if horizon is None else horizon.older,
        wanted=scope.view,
    )


def only_remote(
    repository: Repository, logs: Sequence[Log], remotes: Sequence[Remote]
) -> Iterator[Comparison]:
    """Yield the logs that only a remote has; all of one is what we are behind."""
    ours = {log.name for log in logs}
    for remote in remotes:
        prefix = f"{REMOTE_PREFIX}{remote.name}/"
        for name, ref in repository.store.refs(prefix).items():
            log = name[len(prefix) :]
            if log not in ours:
                yield Comparison(remote.name, log, 0, ref.count, here=False)
