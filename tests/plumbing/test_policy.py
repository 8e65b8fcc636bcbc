"""Policies and quotas, from the account's tables to what a real client is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.database import Database
from msglog.account.policy import set_policies, unset_policies
from msglog.account.role import Role
from msglog.encoding import encode
from msglog.key import SECOND, TIME_MAXIMUM
from msglog.message import object_key
from msglog.store.store import Quota, Usage
from plumbing.policy import AccountRules, Rules
from plumbing.pushing import Pushed
from tests.plumbing.peers import START, Client, Server, keys, message

USER = "user1"


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Database]:
    made = Database.create(tmp_path / "account.db", suffix="x")
    yield made
    made.close()


class Judging(Server):
    """A server whose rules are an account's."""

    def __init__(self, tables: Database, user: str = USER) -> None:
        super().__init__()
        self.account_rules = AccountRules(tables, "main", user, lambda: START)

    def rules(self, log: str) -> Rules:
        return self.account_rules(log)


def ask(tables: Database, *words: str, pattern: str = "*") -> None:
    pairs = [word.partition("=") for word in words]
    set_policies(tables, "main", pattern, [(name, value) for name, _, value in pairs])


def codes(pushed: Pushed) -> list[str]:
    return [refusal.code for refusal in pushed.refused]


def test_the_author_must_be_who_pushes(tables: Database) -> None:
    ask(tables, "enforce-author=on")
    ann = Client(1, Judging(tables))
    names = [USER, "bob", USER.upper(), f"{USER} ", "user\uff11"]
    made = ann.add(*[message(number, author=name) for number, name in enumerate(names)])
    pushed = ann.push()
    assert [refusal.key for refusal in pushed.refused] == sorted(made[1:])
    assert set(codes(pushed)) == {"author"}
    assert USER in pushed.refused[0].why
    assert keys(ann.server.repository) == {made[0]}
    unset_policies(tables, "main", "*", [])
    assert ann.push().messages == 4


def test_an_author_cannot_hide_in_what_the_server_cannot_read(tables: Database) -> None:
    ask(tables, "enforce-author=on")
    ann = Client(1, Judging(tables))
    fields = [{"author": "bob"}, {"author": USER}, {}, {"author": [USER]}]
    made = [
        encode({"type": "future", "uuid": bytes([number]) * 16, "time": START, **extra})  # type: ignore[dict-item]
        for number, extra in enumerate(fields)
    ]
    ann.add(*made)
    pushed = ann.push()
    assert codes(pushed) == ["author"] * 3
    assert keys(ann.server.repository) == {object_key(made[1])}


def test_times_ahead_are_refused(tables: Database) -> None:
    ask(tables, "max-future=60")
    ann = Client(1, Judging(tables))
    edge = START + 60 * SECOND
    times = [-(1 << 62), 0, START, edge, edge + 1, 253_402_300_799_000_000, TIME_MAXIMUM]
    made = ann.add(*[message(number, time=time) for number, time in enumerate(times)])
    pushed = ann.push()
    assert [refusal.key for refusal in pushed.refused] == sorted(made[4:])
    assert set(codes(pushed)) == {"future"}
    assert pushed.messages == 4


def test_large_messages_are_refused(tables: Database) -> None:
    small, large = message(1), message(2, body="x" * 500)
    ask(tables, f"max-message-bytes={len(small)}")
    ann = Client(1, Judging(tables))
    ann.add(small, large)
    pushed = ann.push()
    assert codes(pushed) == ["size"]
    assert str(len(large)) in pushed.refused[0].why
    assert keys(ann.server.repository) == {object_key(small)}


def test_a_policy_is_for_the_logs_of_its_pattern(tables: Database) -> None:
    ask(tables, "enforce-author=on", pattern="ops/*")
    ann = Client(1, Judging(tables))
    ann.repository.create_log("ops/a", time=0)
    ann.add(message(1))
    ann.add(message(2), log="ops/a")
    assert codes(ann.push()) == []
    assert codes(ann.push("ops/a")) == ["author"]


def test_a_quota_takes_what_fits_and_holds_the_rest_back(tables: Database) -> None:
    ask(tables, "quota-messages=7")
    ann = Client(1, Judging(tables))
    made = ann.add(*map(message, range(10)))
    pushed = ann.push()
    assert pushed.messages == 7
    assert [refusal.key for refusal in pushed.refused] == sorted(made)[7:]
    assert set(codes(pushed)) == {"quota"}
    assert (ann.push().messages, len(ann.push().refused)) == (0, 3)
    ask(tables, "quota-messages=9")
    assert (ann.push().messages, ann.server.repository.store.usage(USER).messages) == (2, 9)


def test_a_quota_of_bytes_takes_smaller_ones_that_still_fit(tables: Database) -> None:
    first, large, small = message(1), message(2, body="x" * 1000), message(3)
    ask(tables, f"quota-bytes={len(first) + len(small)}")
    ann = Client(1, Judging(tables))
    ann.add(first, large, small)
    assert codes(ann.push()) == ["quota"]
    assert keys(ann.server.repository) == {object_key(first), object_key(small)}


def test_a_quota_follows_a_user_who_is_renamed(tables: Database, tmp_path: Path) -> None:
    account = Account(tables, str(tmp_path))
    account.add_user(USER, Role.WRITE, time=1)
    ask(tables, "quota-messages=2")
    server = Judging(tables)
    ann = Client(1, server)
    ann.add(message(1))
    assert ann.push().messages == 1
    account.rename_user(USER, "renamed")
    server.account_rules = AccountRules(tables, "main", "renamed", lambda: START)
    ann.rights.user = "renamed"
    ann.add(message(2), message(3))
    pushed = ann.push()
    assert (pushed.messages, codes(pushed)) == (1, ["quota"])
    assert "renamed" in pushed.refused[0].why


def test_a_name_that_somebody_else_had_owes_nothing(tables: Database, tmp_path: Path) -> None:
    account = Account(tables, str(tmp_path))
    server = Judging(tables)
    ann = Client(1, server)
    for number in (1, 2):
        account.add_user(USER, Role.WRITE, time=number)  # the same number in the tables each time
        ask(tables, "quota-messages=1")
        ann.add(message(number))
        assert codes(ann.push()) == []
        account.remove_user(USER)


def test_deliveries_count_before_there_is_a_quota(tables: Database, tmp_path: Path) -> None:
    Account(tables, str(tmp_path)).add_user(USER, Role.WRITE, time=1)
    ann = Client(1, Judging(tables))
    ann.add(message(1))
    ann.push()
    ask(tables, "quota-messages=1")
    ann.add(message(2))
    assert codes(ann.push()) == ["quota"]


def test_what_the_server_has_costs_nothing(tables: Database) -> None:
    ask(tables, "quota-messages=2")
    server = Judging(tables)
    ann = Client(1, server)
    ann.add(message(1), message(2))
    ann.push()
    server.repository.create_log("copy", time=0)
    ann.repository.create_log("copy", time=0)
    ann.add(message(1), message(2), message(3), log="copy")
    pushed = ann.push("copy")
    assert (pushed.messages, codes(pushed)) == (2, ["quota"])
    assert server.repository.store.usage(USER) == Usage(2, len(message(1)) + len(message(2)))


def test_another_session_that_was_first_leaves_less() -> None:
    server = Server()
    server.quota = Quota(messages=5)
    ann, phone = Client(1, server), Client(2, server)
    phone.rights.user = USER
    ann.add(*map(message, range(4)))
    phone.add(*map(message, range(10, 14)))
    store = server.repository.store
    usage = store.usage
    early: list[int] = []

    def interrupted(user: str) -> Usage:
        seen = usage(user)
        if not early:
            early.append(0)  # what comes next is not interrupted
            early[0] = phone.push().messages
        return seen

    store.usage = interrupted  # type: ignore[method-assign]
    late = ann.push()
    assert (early, late.messages) == ([4], 1)
    assert usage(USER).messages == 5
    assert codes(late) == ["quota"] * 3
