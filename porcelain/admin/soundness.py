"""Whether the tables of a server account are sound, for those who keep copies of them."""

from __future__ import annotations

from msglog.account import audit, totals
from msglog.account.account import Account
from msglog.account.database import DamagedAccountError
from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike


def check_database(folder: str | PathLike[str]) -> None:
    """Check the tables of the account in a folder; raises DamagedAccountError and AccountError."""
    account = Account.open(folder)
    try:
        for fault in account_faults(account):
            raise DamagedAccountError("the account is damaged", why=fault)
        account.users()
        account.keys_of()
        account.grants()
    finally:
        account.close()


def account_faults(account: Account) -> Iterator[str]:
    """Yield in words what is damaged in the tables of an account; raises DamagedAccountError."""
    yield from account.database.faults()
    yield from audit.faults(account.database)
    yield from totals.faults(account.database)
