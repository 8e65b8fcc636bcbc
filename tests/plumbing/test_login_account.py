"""What sshd is told while the account has no answer: nothing, until it has one."""

from io import BytesIO
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.database import AccountBusyError, AccountError
from msglog.account.role import Role
from plumbing.context import Context
from plumbing.login_account import ANSWER_SECONDS, ask


class Clock:
    """Time that goes on by being waited for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits = 0

    def context(self) -> Context:
        streams = BytesIO(), BytesIO(), BytesIO()
        return Context("/", "/", *streams, monotonic=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.waits += 1
        self.now += seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    account = Account.create(tmp_path / "account", suffix="x")
    account.add_user("ann", Role.WRITE, time=1)
    account.close()
    return tmp_path / "account"


def test_an_account_that_is_busy_is_asked_until_it_answers(folder: Path) -> None:
    clock = Clock()

    def question(account: Account) -> str:
        if clock.waits < 100:
            raise AccountBusyError("it cannot be used just now")
        return account.user("ann").name

    assert ask(folder, clock.context(), question) == "ann"
    assert clock.waits == 100


def test_who_is_asked_for_longer_than_sshd_waits_gives_up(folder: Path) -> None:
    clock = Clock()

    def question(_: Account) -> str:
        raise AccountBusyError("it cannot be used just now")

    with pytest.raises(AccountBusyError):
        ask(folder, clock.context(), question)
    assert ANSWER_SECONDS < clock.now < ANSWER_SECONDS + 60


def test_what_waiting_does_not_cure_is_a_failure_at_once(folder: Path) -> None:
    clock = Clock()

    def question(_: Account) -> str:
        raise AccountError("the password is wrong")

    with pytest.raises(AccountError, match="the password is wrong"):
        ask(folder, clock.context(), question)
    with pytest.raises(AccountError):
        ask(folder / "nowhere", clock.context(), lambda account: account.user("ann"))
    assert clock.waits == 0
