"""What only damage can have put into an account is never taken for something else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from msglog.account.account import Account
from msglog.account.audit import Act, Trail, Visit, records
from msglog.account.database import DamagedAccountError
from msglog.account.policy import policies, policy_of, set_policies
from msglog.account.publickey import PublicKey
from msglog.account.record import UserGrant
from msglog.account.role import Role
from msglog.account.setting import AUDIT_KEEP, change_setting, setting
from tests.msglog.account import keymaking as make

KEY = PublicKey("ssh-ed25519", make.ed25519(1), "ann@laptop")


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    made = Account.create(tmp_path / "account", suffix="x")
    made.add_user("ann", Role.WRITE, time=1)
    made.add_keys("ann", [KEY], time=2)
    made.grant(UserGrant("ann", "main", "a/*", Role.READ))
    set_policies(made.database, "main", "*", [("max-future", "5")])
    change_setting(made.database, "audit.keep", "1000")
    Trail(made.database, Visit("ann"), lambda: 3).record(Act("push"))
    yield made
    made.close()


READERS: dict[str, Callable[[Account], Any]] = {
    "users": lambda account: account.users(),
    "user": lambda account: account.user("ann"),
    "keys": lambda account: account.keys_of(),
    "key": lambda account: account.key(KEY.fingerprint),
    "grants": lambda account: account.grants(),
    "access": lambda account: account.access("ann", KEY.fingerprint, "main"),
    "policies": lambda account: policies(account.database),
    "policy": lambda account: policy_of(account.database, "main", "main"),
    "setting": lambda account: setting(account.database, AUDIT_KEEP),
    "audit": lambda account: records(account.database, limit=9),
}


@pytest.mark.parametrize(
    ("change", "readers"),
    [
        ("users SET role = 'wsite'", "users user access"),
        ("users SET role = x'00'", "users user access"),
        ("users SET name = 'an' || char(127)", "users keys key grants"),
        ("users SET name = 'a' || char(10) || 'b'", "users keys key grants"),
        ("users SET created = 0.5", "users user"),
        ("keys SET blob = substr(blob, 2)", "keys key"),
        ("keys SET blob = 'text'", "keys key"),
        ("keys SET type = 'ssh-rsa'", "keys key"),
        ("keys SET type = 'ssh-ed25519' || char(10)", "keys key"),
        ("keys SET comment = 'a' || char(10) || 'ssh-rsa AAAA'", "keys key"),
        ("keys SET added = 'x'", "keys key"),
        ("grants SET role = 'ippend'", "grants access"),
        ("grants SET pattern = '../x'", "grants access"),
        ("grants SET pattern = x'00'", "grants access"),
        ("grants SET repository = '/etc'", "grants"),
        ("policies SET value = 'x'", "policies policy"),
        ("policies SET value = -2", "policies policy"),
        ("policies SET name = 'max-past'", "policies policy"),
        ("policies SET pattern = 'A'", "policies policy"),
        ("settings SET value = '0'", "setting"),
        ("settings SET value = x'00'", "setting"),
        ("audit SET time = 'x'", "audit"),
        ("audit SET detail = x'00'", "audit"),
        ("audit SET size = 0.5", "audit"),
    ],
)
def test_it_is_damage(account: Account, change: str, readers: str) -> None:
    for read in READERS.values():
        read(account)
    account.database.execute("DROP TRIGGER audit_is_not_changed")
    account.database.execute(f"UPDATE {change}")
    for name in readers.split():
        with pytest.raises(DamagedAccountError) as caught:
            READERS[name](account)
        assert str(caught.value).isprintable()
        assert caught.value.exit_status == 5
