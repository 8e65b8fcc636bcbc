"""Clients and a server in memory, for tests of everything between them."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msglog.account.audit import Audit
from msglog.account.role import CAPABILITIES, Capability, Role
from msglog.errors import NotAuthorisedError
from msglog.index.node import EMPTY_ROOT
from msglog.key import Key
from msglog.message import Message, object_key
from msglog.refname import log_ref
from msglog.repository import Repository
from msglog.store.memory import MemoryStore
from msglog.store.store import Commit, Quota, Ref, RefUpdate
from msglog.wire.request_line import EarlyRequest, parse_requests
from plumbing.fetching import Fetched, Fetcher, fetch_request
from plumbing.policy import Policy, Rules, accept_all
from plumbing.pushing import Pushed, Pusher, push_request
from plumbing.service import Service
from plumbing.session import Session, Traffic
from plumbing.tracking import Remote, Tracking
from plumbing.transport.channel import Channel
from plumbing.transport.local import LocalChannel

START = 1_750_000_000_000_000
"""June 2025, in microseconds."""


@dataclass
class Clock:
    now: int = START

    def __call__(self) -> int:
        self.now += 1
        return self.now


@dataclass
class Rights:
    """A user with one role for every log, who can be revoked."""

    user: str
    given: Role = Role.WRITE
    revoked: bool = False

    @property
    def role(self) -> str:
        return self.given.value

    def may(self, capability: Capability, log: str) -> bool:  # noqa: ARG002 - one role for all
        return capability in CAPABILITIES[self.given]

    def check(self) -> None:
        if self.revoked:
            raise NotAuthorisedError("not authorised")


def make_repository(number: int) -> Repository:
    repository = Repository(MemoryStore(bytes([number]) * 16), Path("memory"))
    repository.create_log("main", time=0)
    return repository


def message(number: int, *, author: str = "ann", body: str = "", time: int | None = None) -> bytes:
    return Message(
        uuid=number.to_bytes(16, "big"),
        time=START + 1000 * number if time is None else time,
        offset=60,
        author=author,
        body=body or f"message {number}: the quick brown fox jumps over the lazy dog",
    ).encode()


def add(repository: Repository, *objects: bytes, log: str = "main") -> list[Key]:
    messages = {object_key(data): data for data in objects}
    if messages:
        repository.add(log, messages, time=START)
    return list(messages)


class Server:
    """A server account's one repository."""

    def __init__(
        self, number: int = 200, policy: Policy = accept_all, audit: Audit | None = None
    ) -> None:
        self.repository = make_repository(number)
        self.clock = Clock()
        self.policy = policy
        self.audit = audit
        self.quota: Quota | None = None
        self.words: list[list[str]] = []
        self.wrap: Callable[[Channel], Channel] = lambda channel: channel
        self.idle: Callable[[Service], object] | None = None

    def rules(self, log: str) -> Rules:  # noqa: ARG002 - the same for all
        return Rules(self.policy, self.quota)

    def service(self, rights: Rights, early: Sequence[EarlyRequest] = ()) -> Service:
        service = Service(
            self.repository,
            rights,
            agent="msglog/test",
            clock=self.clock,
            rules=self.rules,
            audit=self.audit,
        )
        service.open(early)
        return service

    def connect(self, rights: Rights) -> Callable[[Sequence[str]], Channel]:
        def connect(words: Sequence[str]) -> Channel:
            self.words.append(list(words))
            service = self.service(rights, parse_requests(words))
            return self.wrap(LocalChannel(service, close=service.close, idle=self.idle))

        return connect


class Client:
    """One person's repository and what it cost to keep it in step with a server."""

    def __init__(self, number: int, server: Server, role: Role = Role.WRITE) -> None:
        self.repository = make_repository(number)
        self.server = server
        self.rights = Rights(f"user{number}", role)
        self.clock = Clock()
        self.traffic = Traffic()

    def add(self, *objects: bytes, log: str = "main") -> list[Key]:
        return add(self.repository, *objects, log=log)

    def tracking(self, log: str = "main") -> Tracking:
        identity = self.server.repository.store.identity
        return Tracking(self.repository, Remote("origin", identity), log, clock=self.clock)

    def session(self, early: Sequence[EarlyRequest] = ()) -> Session:
        return Session(self.server.connect(self.rights), early=early)

    def pull(self, log: str = "main", *, pull: bool = True) -> Fetched:
        tracking = self.tracking(log)
        request = fetch_request(tracking)
        session = self.session([request])
        try:
            return Fetcher(session, tracking, pull=pull, early=request).run()
        finally:
            self.traffic = session.traffic
            session.close()

    def push(self, log: str = "main") -> Pushed:
        tracking = self.tracking(log)
        request = push_request(tracking)
        session = self.session([request])
        try:
            return Pusher(session, tracking, early=request).run()
        finally:
            self.traffic = session.traffic
            session.close()


def keys(repository: Repository, log: str = "main") -> set[Key]:
    return set(repository.keys(repository.log(log).root))


def forget_log(repository: Repository, log: str = "main") -> None:
    """Empty a log as a restored, empty backup would: no reflog, nothing agreed."""
    fresh = MemoryStore(repository.store.identity)
    fresh.commit(Commit(0, "made", refs=[RefUpdate(log_ref(log), None, Ref(EMPTY_ROOT, 0))]))
    repository.store = fresh


def backup(repository: Repository) -> MemoryStore:
    """Return a copy of a repository's store as it is now, to be restored one day."""
    store = repository.store
    assert isinstance(store, MemoryStore)
    copied = MemoryStore(store.identity)
    vars(copied).update({name: _copied(value) for name, value in vars(store).items()})
    return copied


def _copied(value: object) -> object:
    """Return a copy of collections within collections; what they hold in the end is frozen."""
    if isinstance(value, dict):
        return type(value)({key: _copied(one) for key, one in value.items()})
    return copy.copy(value) if isinstance(value, list | set) else value
