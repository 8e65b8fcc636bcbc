"""What this repository knows of a message beside the message: where it is, and who brought it."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.refname import LOG_PREFIX, REMOTE_PREFIX
from msglog.timestamp import rfc3339

if TYPE_CHECKING:
    from msglog.config import Config
    from msglog.key import Key
    from msglog.repository import Repository
    from msglog.store.store import Receipt, Refusal


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of one message here, and not the same elsewhere.

    logs: those that hold it. remotes: REMOTE/LOG, those that held it when they were last seen.
    receipt: who delivered it, if it came from elsewhere. refusals: which remotes refuse it.
    """

    logs: tuple[str, ...]
    remotes: tuple[str, ...]
    receipt: Receipt | None
    refusals: tuple[tuple[str, Refusal], ...]

    def fields(self) -> dict[str, object]:
        """Return it as JSON has it, under the names that `add --batch --json` ignores."""
        receipt = self.receipt
        received = None
        if receipt is not None:
            received = {
                "from": receipt.user,
                "time": rfc3339(receipt.time, 0),
                "log": receipt.log,
                "key": receipt.key or None,
            }
        refused = [
            {"remote": remote, "code": refusal.code, "why": refusal.why}
            for remote, refusal in self.refusals
        ]
        return {
            "logs": list(self.logs),
            "remotes": list(self.remotes),
            "received": received,
            "held_back": refused,
        }


def whereabouts(repository: Repository, settings: Config, key: Key) -> Whereabouts:
    """Return what is known of a message here."""
    holders = [
        name
        for name, ref in repository.store.refs().items()
        if any(True for _ in repository.keys(ref.root, first=key, last=key))
    ]
    logs = [name.removeprefix(LOG_PREFIX) for name in holders if name.startswith(LOG_PREFIX)]
    remotes = [
        name.removeprefix(REMOTE_PREFIX) for name in holders if name.startswith(REMOTE_PREFIX)
    ]
    refusals = [
        (remote.name, refusal)
        for remote in settings.remotes().values()
        for log in (logs if remote.repository else ())
        for refusal in repository.store.held_back(f"repository:{remote.repository}", log)
        if refusal.key == key
    ]
    receipt = repository.store.receipts([key]).get(key)
    return Whereabouts(tuple(logs), tuple(remotes), receipt, tuple(refusals))
