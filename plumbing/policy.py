"""What a log asks of messages that are pushed to it: a verdict on each, a bound for each user."""

from __future__ import annotations

from msglog.account.policy import LogPolicy, policy_of, user_identity
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import SECOND, key_time
from msglog.message import Message
from msglog.message_scan import scan
from msglog.store.store import Quota, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from msglog.account.tables import Tables
    from msglog.key import Key
    from msglog.store.store import Store
    from msglog.wire.batch import Item

Policy: TypeAlias = "Callable[[Item], tuple[str, str] | None]"
"""Judges one message: None, or a code and a reason for which it is refused."""


def accept_all(item: Item) -> None:
    """Be the policy that refuses nothing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of one push to one log. quota: for all that the user delivers here."""

    policy: Policy = accept_all
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The rules that an account has for one user in one repository, looked up when called."""

    database: Tables
    repository: str
    user: str
    clock: Callable[[], int]

    def __call__(self, log: str) -> Rules:
        """Return the rules of a log."""
        found = policy_of(self.database, self.repository, log)
        quota = Quota(
            found.quota_messages, found.quota_bytes, user_identity(self.database, self.user)
        )
        if found == LogPolicy(quota_messages=found.quota_messages, quota_bytes=found.quota_bytes):
            return Rules(quota=quota)
        latest = None if found.max_future is None else self.clock() + found.max_future * SECOND
        return Rules(lambda item: _judge(item, found, self.user, latest), quota)


def _judge(item: Item, policy: LogPolicy, user: str, latest: int | None) -> tuple[str, str] | None:
    if policy.enforce_author and _author(item) != user:
        return "author", f"its author is not {user}, who pushes it"
    if latest is not None and key_time(item.key) > latest:
        return "future", f"its time is more than {policy.max_future} seconds ahead"
    limit = policy.max_message_bytes
    if limit is not None and len(item.data) > limit:
        return "size", f"it has {len(item.data)} bytes, and {limit} are allowed"
    return None


def _author(item: Item) -> object:
    """Return who wrote a message.

    What we cannot read may have an author all the same: it must be where we look for it.
    """
    plain = scan(item.data)
    if plain is not None:
        return plain[3]
    content = item.content
    return content.author if isinstance(content, Message) else content.fields.get("author")


def excess(
    quota: Quota | None, store: Store, user: str, messages: Mapping[Key, bytes]
) -> list[Refusal]:
    """Return the refusals of those messages that go beyond a user's quota now, in key order.

    What the store has already costs nothing; of the rest the first that fit are taken.
    """
    if quota is None:
        return []
    usage = store.usage(quota.user or user)
    if quota.allows(usage.plus(len(messages), sum(map(len, messages.values())))):
        return []
    known = store.find_messages(list(messages))
    refused: list[Refusal] = []
    for key in sorted(messages.keys() - known.keys()):
        with_it = usage.plus(1, len(messages[key]))
        if quota.allows(with_it):
            usage = with_it
        else:
            refused.append(Refusal(key, "quota", _why(quota, user)))
    return refused


def _why(quota: Quota, user: str) -> str:
    bounds = [
        *([] if quota.messages is None else [f"{quota.messages} messages"]),
        *([] if quota.size is None else [f"{quota.size} bytes"]),
    ]
    return f"{user} may deliver {' and '.join(bounds)} to this repository, no more"
