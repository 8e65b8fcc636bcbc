"""Whether a repository is sound: what `verify` checks, for whoever needs nothing but the answer."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.inspection import Inspection

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.repository import Repository


class UnsoundRepositoryError(IntegrityError):
    """A repository that must be whole is damaged."""


def check_sound(
    repository: Repository,
    *,
    hint: str = "",
    counted: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Return how many messages all logs have, if everything in the repository is sound.

    counted: told now and then how many messages of how many were checked. Raises
    UnsoundRepositoryError with the first thing that is not, and a hint.
    """
    for fault in repository.store.faults():
        raise UnsoundRepositoryError("the repository is damaged", why=fault, hint=hint)
    refs = repository.store.refs()
    total, before = sum(ref.count for ref in refs.values()), 0
    inspection = Inspection(repository, lambda checked: counted(before + checked, total))
    for name, ref in refs.items():
        for damage in inspection.check_ref(name, ref, remember=True):
            raise UnsoundRepositoryError(
                "the repository is damaged",
                why=f"{name}: {damage.kind} {damage.name}: {damage.why}",
                hint=hint,
            )
        before += ref.count
    return sum(log.count for log in repository.logs())
