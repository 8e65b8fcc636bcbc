"""What a server of the model allows: roles that change, policies, quotas."""

from dataclasses import dataclass, field
from functools import cache

from msglog.account.role import CAPABILITIES, Capability, Role
from msglog.errors import NotAuthorisedError
from msglog.message import Message, decode_object
from msglog.store.store import Quota
from msglog.wire.batch import Item
from plumbing.policy import Policy, Rules, accept_all
from tests.model.sites import Site

POLICIES = ("none", "none", "odd", "small", "author")


@dataclass
class Rights:
    """What one user may do on one server, for each log or, under "", for all others."""

    roles: dict[str, Role] = field(default_factory=lambda: {"": Role.WRITE})
    epoch: int = 0

    def change(self, log: str, role: Role) -> None:
        self.roles[log] = role
        self.epoch += 1

    def may(self, capability: Capability, log: str) -> bool:
        return capability in CAPABILITIES[self.roles.get(log, self.roles[""])]


class Permissions:
    """A session's: any change of a right since it began ends it, as in a server account."""

    def __init__(self, user: str, rights: Rights) -> None:
        self.user = user
        self.role = "some"
        self._rights = rights
        self._epoch = rights.epoch
        self._roles = dict(rights.roles)
        self.fetched: set[str] = set()

    def may(self, capability: Capability, log: str) -> bool:
        given = capability in CAPABILITIES[self._roles.get(log, self._roles[""])]
        if given and capability is Capability.FETCH:
            self.fetched.add(log)
        return given

    def check(self) -> None:
        if self._rights.epoch != self._epoch:
            raise NotAuthorisedError("not authorised any more")


def verdict(policy: str, user: str, data: bytes) -> tuple[str, str] | None:
    """Judge one message."""
    match policy:
        case "odd" if data[-1] & 1:
            return "odd", "its last byte is odd"
        case "small" if len(data) > 300:
            return "size", "it is large"
        case "author" if author_of(data) != user:
            return "author", "it is not theirs"
    return None


@cache
def author_of(data: bytes) -> str:
    content = decode_object(data)
    assert isinstance(content, Message)
    return content.author


@dataclass
class Server:
    """One URL: the repository there, and what its account says."""

    site: Site
    policy: str = "none"
    quota: Quota = field(default_factory=Quota)
    counted: bool = False
    rights: dict[str, Rights] = field(default_factory=dict)
    ceilings: dict[str, tuple[float, float]] = field(default_factory=dict)

    def counted_user(self, user: str) -> str:
        return f"id:{user}" if self.counted else user

    def rules(self, user: str) -> Rules:
        quota = Quota(
            self.quota.messages, self.quota.size, self.counted_user(user) if self.counted else ""
        )
        policy: Policy = accept_all
        if self.policy != "none":
            name = self.policy

            def judge(item: Item) -> tuple[str, str] | None:
                return verdict(name, user, item.data)

            policy = judge
        return Rules(policy, quota)
