"""What is read of an account to judge an authorized_keys."""

from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.forced_command import Program
from msglog.account.inspection import block_lines
from msglog.account.role import Role
from tests.msglog.account import keymaking as make


def test_keys_that_others_add_meanwhile_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account.create(tmp_path / "account", suffix="x")
    account.add_user("ann", Role.WRITE, time=1)
    account.add_keys("ann", [make.key(1)], time=1)
    whole = Account.keys_of

    def keys_of(self: Account, user: str | None = None) -> object:
        found = whole(self, user)
        number = len(found) + 1
        self.add_keys("ann", [make.key(number)], time=1)  # by another administrator
        return found

    monkeypatch.setattr(Account, "keys_of", keys_of)
    assert len(block_lines(account, Program("/bin/python", "/bin/msglog"))) == 1
    account.close()
