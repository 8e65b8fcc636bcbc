"""What a logbook needs of the process around it and of the layers above: authors and remotes.

This package reads neither the environment nor the places of configuration files, and has no
transports: who needs them asks whatever is installed under the entry point GROUP, which is looked
for when it is first needed. msglog itself installs one that does what its commands do.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol, cast
from msglog.dataclass import dataclass
from msglog.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from msglog.comparison import Refused
    from msglog.config import Remote
    from msglog.errors import MsglogError
    from msglog.key import Key

GROUP = "msglog.surroundings"
NAME = "process"


class NoSurroundingsError(LocalError):
    """Nothing is installed that knows the process around us and the ways to remotes."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What became of one log in an exchange with a remote.

    pulled, pushed: how many messages came and went. lost: how many the remote once had and had no
    more. refused: what it did not take, and keeps refusing. count: how many messages the log has
    now, here after a pull and there after a push; root: the id of its index, which is equal where
    two logs are. Both are None where we may not know. error: why nothing, or not all, was done.
    fetched_before: how many came with a fetch earlier, and with this pull into our log.
    """

    remote: str
    log: str
    pulled: int = 0
    pushed: int = 0
    lost: int = 0
    refused: tuple[Refused, ...] = ()
    count: int | None = None
    root: str | None = None
    error: MsglogError | None = None
    fetched_before: int = 0


class Surroundings(Protocol):
    """What is known of the process around a logbook, and the exchange with remotes.

    folder: of a repository. remote: a name, or a URL. logs: their names; none for all.
    All of it raises MsglogError.
    """

    def author(self, folder: str) -> str:
        """Return who writes, where nobody is named."""

    def remotes(self, folder: str) -> dict[str, Remote]:
        """Return the remotes by name."""

    def add_remote(self, folder: str, name: str, url: str) -> None:
        """Name a remote."""

    def remove_remote(self, folder: str, name: str) -> None:
        """Forget a remote and what was known of it."""

    def caches(self) -> str:
        """Return the folder for what can be made anew, which need not be there."""

    def pull(
        self, folder: str, remote: str, logs: Sequence[str], *, since: str | None, whole: bool
    ) -> list[Exchanged]:
        """Take what a remote has and we lack into our logs.

        since, whole: only what was written then or later, or all, from now on.
        """

    def fetch(
        self, folder: str, remote: str, logs: Sequence[str], *, since: str | None, whole: bool
    ) -> list[Exchanged]:
        """Take what a remote has and we lack, and leave our logs as they are."""

    def push(self, folder: str, remote: str, logs: Sequence[str]) -> list[Exchanged]:
        """Give a remote what we have and it lacks."""

    def sync(self, folder: str, remote: str, logs: Sequence[str]) -> list[Exchanged]:
        """Pull and push, over one connection."""

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
        """Begin to watch logs; return what yields new messages: their log, key and bytes.

        remote: None for the repository itself. newest, pull, timeout: see `msglog.logbook`. ended:
        is asked whenever nothing came for some seconds, and says whether to go on no more.
        """

    def clone(self, url: str, folder: str | None, *, since: str | None, logs: Sequence[str]) -> str:
        """Make a repository of all that is at a URL; return its folder.

        folder: that it will lie in; None for one named after the URL. since, logs: only that.
        """


def find_surroundings() -> Surroundings:
    """Return what is installed; raises NoSurroundingsError."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms, for what needs it

    for found in entry_points(group=GROUP, name=NAME):
        make = cast("Callable[[], Surroundings]", found.load())
        return make()
    raise NoSurroundingsError(
        "this installation of msglog knows no remotes and no configuration",
        why=f"nothing is installed under the entry point {GROUP}",
        hint="Install msglog with pip, or give the author or the surroundings yourself.",
    )
