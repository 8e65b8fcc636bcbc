"""How logs compare with what remotes held when they were last met, offline."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_object_id
from msglog.refname import REMOTE_PREFIX
from msglog.surroundings import Comparison, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.config import Remote
    from msglog.repository import Log, Repository


def compare_all(repository: Repository, remotes: Sequence[Remote]) -> list[Comparison]:
    """Compare each log, and each that only a remote has, with each remote."""
    found: list[Comparison] = []
    for remote in remotes:
        found += _compare(repository, remote)
    return sorted(found, key=lambda one: (one.log, one.remote))


def _compare(repository: Repository, remote: Remote) -> Iterator[Comparison]:
    prefix = f"{REMOTE_PREFIX}{remote.name}/"
    known = repository.store.refs(prefix)
    for log in repository.logs():
        ref = known.pop(f"{prefix}{log.name}", None)
        refused = _refused(repository, remote, log)
        if ref is None:
            yield Comparison(remote.name, log.name, None, None, refused)
            continue
        ahead = sum(1 for _ in repository.difference(ref.root, log.root))
        behind = sum(1 for _ in repository.difference(log.root, ref.root))
        yield Comparison(remote.name, log.name, ahead, behind, refused)
    for name, ref in known.items():
        yield Comparison(remote.name, name.removeprefix(prefix), 0, ref.count)


def _refused(repository: Repository, remote: Remote, log: Log) -> tuple[Refused, ...]:
    if not remote.repository:
        return ()
    held_back = repository.store.held_back(f"repository:{remote.repository}", log.name)
    return tuple([Refused(key_object_id(one.key).hex(), one.code, one.why) for one in held_back])
