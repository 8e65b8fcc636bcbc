"""What a session may do, and that it ends with its user's rights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.permissions import AccountPermissions
from msglog.account.role import Capability, Role
from msglog.errors import NotAuthorisedError


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    made = Account.create(tmp_path / "server", suffix="x")
    made.add_user("ann", Role.READ, time=1)
    yield made
    made.close()


def test_they_are_those_of_the_access(account: Account) -> None:
    permissions = AccountPermissions(account, account.access("ann", None, "main"))
    assert (permissions.user, permissions.role) == ("ann", "read")
    assert permissions.may(Capability.FETCH, "main")
    assert not permissions.may(Capability.APPEND, "main")
    permissions.check()


def test_they_end_with_the_user(account: Account) -> None:
    permissions = AccountPermissions(account, account.access("ann", None, "main"))
    account.remove_user("ann")
    with pytest.raises(NotAuthorisedError, match="not authorised"):
        permissions.check()
